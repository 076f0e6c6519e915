import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { coverFile } from '#domain/library/covers.ts';
import { createScanner } from '#domain/library/scanner.ts';
import { testCtx } from '../../support/ctx.ts';
import { DIALECTS } from '../../support/dialects.ts';
import { makeLibrary, makePng, makeTrack } from '../../support/music/make-track.ts';
import type { Scanner } from '#domain/library/scanner.ts';
import type { TestCtx } from '../../support/ctx.ts';
import type { TestDatabase } from '../../support/dialects.ts';

const ADMIN = { role: 'admin' } as const;

describe.each(DIALECTS)('scanning on $name', (dialect) => {
  let database: TestDatabase;
  let folder: string;
  let root: string;
  let ctx: TestCtx;
  let scanner: Scanner;
  const at = (name: string) => path.join(root, name);
  const song = (n: number, more = {}) => ({
    title: `Song ${n}`,
    artist: 'Band',
    album: 'Album',
    track: n,
    seconds: 0.2,
    frequency: 100 + n * 10,
    ...more,
  });

  function use(musicDirs: string[]): void {
    ctx = testCtx(database, { musicDirs, dataDir: path.join(folder, 'data') });
    scanner = createScanner(ctx);
  }
  beforeEach(async () => {
    database = await dialect.open();
    folder = mkdtempSync(path.join(tmpdir(), 'scan-'));
    root = path.join(folder, 'music');
    mkdirSync(root);
    use([root]);
  });
  afterEach(async () => {
    await scanner.stop();
    await database.close();
    rmSync(folder, { recursive: true, force: true });
  });

  async function scan() {
    ctx.clock.advance(60_000);
    scanner.start();
    await scanner.whenIdle();
    return scanner.state(ADMIN);
  }
  async function tracks() {
    const rows = await ctx.db.selectFrom('tracks').selectAll().orderBy('track_path').orderBy('added_at').execute();
    return rows;
  }
  async function idOf(track_path: string): Promise<string> {
    const rows = (await tracks()).filter((row) => row.track_path === track_path && row.missing_since === null);
    expect(rows).toHaveLength(1);
    return rows[0]?.id ?? '';
  }

  test('[LB1] every kind of file is found, at any depth, under any name', async () => {
    const names = [
      'a b.mp3',
      'tief/er/ü#1 100%.flac',
      'O\'Hare "live".ogg',
      'emoji 🎵.opus',
      'nfc-é.m4a',
      'nfd-e\u0301.aac',
      'UPPER.WAV',
      'also.oga',
    ];
    makeLibrary(root, {
      ...Object.fromEntries(names.slice(0, 6).map((name, i) => [name, song(i)])),
      'UPPER.WAV': makeTrack('wav', song(6)),
      'also.oga': makeTrack('ogg', song(7)),
      '.hidden/no.mp3': song(8),
      '.no.mp3': song(8),
      'notes.txt': Buffer.from('no music'),
    });
    const state = await scan();
    expect(state).toMatchObject({
      state: 'idle',
      done: 8,
      total: 8,
      added: 8,
      problems: [],
      problem_count: 0,
      hint: null,
    });
    expect((await tracks()).map((row) => row.track_path).sort()).toEqual([...names].sort());
    expect(ctx.happened).toContainEqual({
      name: 'library.scanned',
      payload: { added: 8, updated: 0, moved: 0, missing: 0 },
    });
  });

  test('[LB5] broken files are reported and skipped, not read again while they are the same, and cleared when mended', async () => {
    makeLibrary(root, {
      'good.wav': song(1),
      'zero.mp3': Buffer.alloc(0),
      'bad.flac': Buffer.from('fLaC and nothing else'),
      'text.ogg': Buffer.from('hello'),
    });
    const state = await scan();
    expect(state).toMatchObject({ state: 'idle', added: 1, problem_count: 3, done: 4 });
    expect(state.problems.map((problem) => problem.track_path).sort()).toEqual(['bad.flac', 'text.ogg', 'zero.mp3']);
    expect(scanner.state({ role: 'user' })).toMatchObject({ problems: [], problem_count: 3 });
    const seenAt = () =>
      ctx.db.selectFrom('scan_problems').select('seen_at').where('track_path', '=', 'bad.flac').executeTakeFirst();
    const first = await seenAt();
    expect(await scan()).toMatchObject({ unchanged: 1, problem_count: 3 });
    expect(await seenAt()).toEqual(first);
    makeLibrary(root, { 'bad.flac': song(2) });
    expect(await scan()).toMatchObject({ added: 1, problem_count: 2 });
  });

  test('[LB5] a name that is not UTF-8 is reported, and the rest is read', async () => {
    makeLibrary(root, { 'good.wav': song(1) });
    writeFileSync(Buffer.concat([Buffer.from(`${root}/bad-`), Buffer.from([0xff]), Buffer.from('.mp3')]), 'x');
    const state = await scan();
    expect(state).toMatchObject({ added: 1, problem_count: 1 });
    expect(state.problems[0]?.reason).toMatch(/UTF-8/);
  });

  test('[LB1] links are followed under a root only, files reached twice are one track, dangling links are reported', async () => {
    makeLibrary(root, { 'own/a.wav': song(1), '.store/b.wav': song(2), '.store/more/c.wav': song(3) });
    makeLibrary(path.join(folder, 'outside'), { 'secret.wav': song(4), 'dir/d.wav': song(5) });
    symlinkSync(at('own/a.wav'), at('again.wav'));
    symlinkSync(at('.store/b.wav'), at('linked.wav'));
    symlinkSync(at('.store/more'), at('linked-folder'));
    symlinkSync(root, at('own/loop'));
    symlinkSync(path.join(folder, 'outside/secret.wav'), at('leak.wav'));
    symlinkSync(path.join(folder, 'outside/dir'), at('leak-folder'));
    symlinkSync(at('nowhere.wav'), at('dangling.wav'));
    const state = await scan();
    expect((await tracks()).map((row) => row.track_path)).toEqual(['linked-folder/c.wav', 'linked.wav', 'own/a.wav']);
    expect(state.problems.map((problem) => problem.track_path).sort()).toEqual([
      'dangling.wav',
      'leak-folder',
      'leak.wav',
    ]);
  });

  test('[LB2] a moved, a renamed and a retagged file keep their ids and when they were added', async () => {
    makeLibrary(root, { 'a/1.flac': song(1), 'a/2.mp3': song(2), 'a/3.ogg': song(3) });
    await scan();
    const before = await tracks();
    mkdirSync(at('b'));
    renameSync(at('a/1.flac'), at('b/01 neu.flac'));
    renameSync(at('a/2.mp3'), at('a/zwei.mp3'));
    makeLibrary(root, { 'a/3.ogg': song(3, { title: 'Renamed', genre: 'Folk' }) });
    expect(await scan()).toMatchObject({ added: 0, moved: 2, updated: 1, missing: 0 });
    const after = await tracks();
    expect(after.map((row) => [row.id, row.added_at]).sort()).toEqual(
      before.map((row) => [row.id, row.added_at]).sort(),
    );
    expect(after.map((row) => row.track_path)).toEqual(['a/3.ogg', 'a/zwei.mp3', 'b/01 neu.flac']);
    expect(after[0]).toMatchObject({ title: 'Renamed', genre: 'Folk', missing_since: null });
  });

  test('[LB2] moved and retagged between two scans, a file is still the same track', async () => {
    makeLibrary(root, { 'a.m4a': song(1), 'b.opus': song(2) });
    await scan();
    const id = await idOf('a.m4a');
    unlinkSync(at('a.m4a'));
    makeLibrary(root, { 'new/c.m4a': song(1, { title: 'Other', artist: 'Other' }) });
    expect(await scan()).toMatchObject({ moved: 1, added: 0, missing: 0 });
    expect(await idOf('new/c.m4a')).toBe(id);
  });

  test('[LB3] a better encoding at the same place is the same track, another song there is a new one', async () => {
    makeLibrary(root, { 'a.flac': song(1), 'b.flac': song(2) });
    await scan();
    const [a, b] = [await idOf('a.flac'), await idOf('b.flac')];
    makeLibrary(root, { 'a.flac': song(1, { frequency: 999 }), 'b.flac': song(3) });
    expect(await scan()).toMatchObject({ updated: 1, added: 1, missing: 1 });
    expect(await idOf('a.flac')).toBe(a);
    expect(await idOf('b.flac')).not.toBe(b);
  });

  test('[LB3] equal files are two tracks, and a vanished one is never guessed between two', async () => {
    makeLibrary(root, { 'a.wav': song(1) });
    await scan();
    const id = await idOf('a.wav');
    copyFileSync(at('a.wav'), at('copy.wav'));
    expect(await scan()).toMatchObject({ added: 1, unchanged: 1 });
    expect(await idOf('a.wav')).toBe(id);
    const copy = await idOf('copy.wav');
    unlinkSync(at('copy.wav'));
    renameSync(at('a.wav'), at('c.wav'));
    expect(await scan()).toMatchObject({ missing: 2, added: 1, moved: 0 });
    expect([id, copy]).not.toContain(await idOf('c.wav'));
  });

  test('[LB4] a missing file leaves its track, and comes back as it', async () => {
    makeLibrary(root, { 'a.wav': song(1), 'b.wav': song(2) });
    await scan();
    const [before] = await tracks();
    renameSync(at('a.wav'), path.join(folder, 'away.wav'));
    expect(await scan()).toMatchObject({ missing: 1, unchanged: 1 });
    expect((await tracks())[0]).toMatchObject({ id: before?.id, missing_since: Math.floor(ctx.clock.nowMs() / 1000) });
    expect(await scan()).toMatchObject({ missing: 0, unchanged: 1 });
    renameSync(path.join(folder, 'away.wav'), at('a.wav'));
    expect(await scan()).toMatchObject({ updated: 1, added: 0 });
    expect((await tracks())[0]).toEqual(before);
    unlinkSync(at('a.wav'));
    await scan();
    makeLibrary(root, { 'elsewhere/z.wav': song(1, { title: 'Back' }) });
    expect(await scan()).toMatchObject({ moved: 1, added: 0 });
    expect((await tracks()).find((row) => row.title === 'Back')).toMatchObject({
      id: before?.id,
      added_at: before?.added_at,
      missing_since: null,
    });
  });

  test('[LB7] a root that is away changes nothing about its tracks and says how to set MUSIC_DIR', async () => {
    const second = path.join(folder, 'disk');
    makeLibrary(second, { 'd.wav': song(9) });
    makeLibrary(root, { 'a.wav': song(1) });
    use([root, second]);
    await scan();
    renameSync(second, path.join(folder, 'unmounted'));
    const state = await scan();
    expect(state).toMatchObject({ state: 'idle', missing: 0, unchanged: 1 });
    expect(state.hint).toMatch(/disk is not there.*kept.*MUSIC_DIR/);
    expect(scanner.state({ role: 'user' }).hint).not.toContain(folder);
    expect((await tracks()).every((row) => row.missing_since === null)).toBe(true);
    renameSync(root, path.join(folder, 'gone'));
    expect(await scan()).toMatchObject({ state: 'failed', missing: 0 });
    expect((await tracks()).every((row) => row.missing_since === null)).toBe(true);
  });

  test('[LB7] a root that holds nothing at all, where many tracks were, counts as an unmounted disk', async () => {
    makeLibrary(root, Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`${i}.wav`, song(i)])));
    await scan();
    renameSync(root, path.join(folder, 'away'));
    mkdirSync(root);
    const state = await scan();
    expect(state).toMatchObject({ missing: 0 });
    expect(state.hint).toMatch(/not mounted/);
  });

  test('[LB7] a wrong or missing MUSIC_DIR never stops the scanner', async () => {
    writeFileSync(path.join(folder, 'file'), '');
    for (const [dirs, state, hint] of [
      [[path.join(folder, 'nope')], 'failed', /not there.*MUSIC_DIR/],
      [[path.join(folder, 'file')], 'failed', /not a folder/],
      [[], 'idle', /MUSIC_DIR/],
      [[root], 'idle', /no music/],
    ] as const) {
      use([...dirs]);
      const found = await scan();
      expect(found.state).toBe(state);
      expect(found.hint).toMatch(hint);
    }
  });

  test('[LB2] a library moved as a whole to another root keeps every id', async () => {
    makeLibrary(root, { 'a/1.wav': song(1), 'b/1.wav': song(1), 'c.wav': song(3) });
    await scan();
    const before = (await tracks()).map((row) => [row.id, row.track_path]);
    const other = path.join(folder, 'elsewhere');
    renameSync(root, other);
    use([other]);
    expect(await scan()).toMatchObject({ moved: 3, added: 0, missing: 0 });
    expect((await tracks()).map((row) => [row.id, row.track_path])).toEqual(before);
  });

  test('[LB8] a folder picture stands for tracks without one, also when it comes, changes or goes later', async () => {
    makeLibrary(root, { 'a/1.wav': song(1), 'a/2.flac': song(2, { cover: makePng(9, '#112233') }) });
    await scan();
    const sources = async () => (await tracks()).map((row) => row.cover_source);
    const hashes = async () => (await tracks()).map((row) => row.cover_hash);
    expect(await sources()).toEqual([null, 'embedded']);
    writeFileSync(at('a/Folder.JPG'), makePng(10, '#445566'));
    await scan();
    expect(await sources()).toEqual(['folder', 'embedded']);
    const [first, embedded] = await hashes();
    writeFileSync(at('a/cover.png'), makePng(11, '#778899'));
    makeLibrary(root, { 'a/3.wav': song(3) });
    expect(await scan()).toMatchObject({ added: 1, unchanged: 2 });
    const [second, stillEmbedded, third] = await hashes();
    expect(second).not.toBe(first);
    expect(third).toBe(second);
    expect(stillEmbedded).toBe(embedded);
    unlinkSync(at('a/cover.png'));
    unlinkSync(at('a/Folder.JPG'));
    await scan();
    expect(await sources()).toEqual([null, 'embedded', null]);
  });

  test('[LB8] covers lost from the data folder are read again', async () => {
    makeLibrary(root, {
      'a.flac': song(1, { cover: makePng(9, '#112233') }),
      'b/1.wav': song(2),
      'b/cover.png': makePng(7, '#445566'),
    });
    await scan();
    rmSync(path.join(folder, 'data'), { recursive: true });
    expect(await scan()).toMatchObject({ updated: 2, added: 0 });
    for (const row of await tracks())
      expect(existsSync(coverFile(path.join(folder, 'data'), row.cover_hash ?? ''))).toBe(true);
    expect(await scan()).toMatchObject({ updated: 0, unchanged: 2 });
  });

  test('[LB9] a file of the same size and time is not opened, one with another time is', async () => {
    makeLibrary(root, { 'a.wav': song(1) });
    utimesSync(at('a.wav'), 1000, 1000);
    await scan();
    const bytes = makeTrack('wav', song(2));
    writeFileSync(at('a.wav'), bytes);
    utimesSync(at('a.wav'), 1000, 1000);
    expect(await scan()).toMatchObject({ unchanged: 1, updated: 0 });
    expect((await tracks())[0]?.title).toBe('Song 1');
    utimesSync(at('a.wav'), 1001, 1001);
    await scan();
    expect((await tracks()).find((row) => row.missing_since === null)?.title).toBe('Song 2');
  });

  test('[LB9] one scan runs at a time, shows its progress, and can be stopped', async () => {
    makeLibrary(root, Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`${i}.wav`, song(i)])));
    expect(scanner.start()).toMatchObject({ state: 'running', done: 0, total: null, ended_at: null });
    expect(scanner.start()).toMatchObject({ state: 'running' });
    await scanner.stop();
    const stopped = scanner.state(ADMIN);
    expect(stopped.state).toBe('idle');
    expect(stopped.missing).toBe(0);
    const state = await scan();
    expect(state.added + state.unchanged).toBe(30);
    expect(await tracks()).toHaveLength(30);
  });

  test('[LB6] artists, albums and genres are told apart by accents, not by case', async () => {
    makeLibrary(root, {
      '1.wav': song(1, { artist: 'Beyoncé', album: 'One', genre: ['Pop', 'R&B'] }),
      '2.flac': song(2, { artist: 'BEYONCÉ', album: 'one', genre: 'pop' }),
      '3.flac': song(3, { artist: 'Beyonce', album: 'One' }),
      '4.flac': song(4, { artist: 'Guest', album: 'Mix', albumArtist: 'Various Artists' }),
      '5.flac': song(5, { artist: 'Host', album: 'Mix', albumArtist: 'Various Artists' }),
    });
    await scan();
    const count = async (table: 'artists' | 'albums') =>
      Number(
        (
          await ctx.db
            .selectFrom(table)
            .select((eb) => eb.fn.countAll().as('n'))
            .executeTakeFirstOrThrow()
        ).n,
      );
    expect([await count('artists'), await count('albums')]).toEqual([4, 3]);
    const genres = await ctx.db
      .selectFrom('track_genres')
      .select('genre_key')
      .distinct()
      .orderBy('genre_key')
      .execute();
    expect(genres.map((row) => row.genre_key)).toEqual(['pop', 'r&b']);
  });
});
