import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createScanner } from '#domain/library/scanner.ts';
import { createAnalyser } from '#domain/library/features/analyser.ts';
import { getTrackFeatures } from '#domain/library/features/features.queries.ts';
import { createSoundReader } from './reader.ts';
import { isSameTempo, similarTracks } from '#domain/recommendations/similar-tracks.ts';
import { createSounds } from '#domain/recommendations/sounds.ts';
import { person, testCtx } from '../../../support/ctx.ts';
import { DIALECTS } from '../../../support/dialects.ts';
import { makeLibrary } from '../../../support/music/make-track.ts';
import type { Analyser } from '#domain/library/features/analyser.ts';
import type { Scanner } from '#domain/library/scanner.ts';
import type { Actor } from '#domain/context.ts';
import type { TestCtx } from '../../../support/ctx.ts';
import type { TestDatabase } from '../../../support/dialects.ts';
import type { TestReader } from './reader.ts';

describe.each(DIALECTS)('features on $name', (dialect) => {
  let database: TestDatabase;
  let folder: string;
  let root: string;
  let ctx: TestCtx;
  let actor: Actor;
  let scanner: Scanner;
  let analyser: Analyser;
  let reader: TestReader;
  const song = (n: number, more = {}) => ({ title: `Song ${n}`, artist: 'Band', album: 'One', seconds: 1, ...more });

  function begin(): void {
    scanner = createScanner(ctx);
    reader = createSoundReader();
    analyser = createAnalyser(ctx, scanner, () => reader);
    analyser.start();
  }
  beforeEach(async () => {
    database = await dialect.open();
    folder = mkdtempSync(path.join(tmpdir(), 'features-'));
    root = path.join(folder, 'music');
    ctx = testCtx(database, { musicDirs: [root], dataDir: path.join(folder, 'data') });
    actor = await person(ctx, 'mia');
    makeLibrary(root, {
      'a.flac': song(1, { frequency: 220 }),
      'b.flac': song(2, { frequency: 230 }),
      'c.ogg': song(3, { frequency: 900, album: 'Two' }),
    });
    begin();
  });
  afterEach(async () => {
    await analyser.stop();
    await scanner.stop();
    await database.close();
    rmSync(folder, { recursive: true, force: true });
  });

  async function scan() {
    ctx.clock.advance(60_000);
    scanner.start();
    await scanner.whenIdle();
    await analyser.whenIdle();
  }
  async function idOf(track_path: string): Promise<string> {
    const row = await ctx.db
      .selectFrom('tracks')
      .select('id')
      .where('track_path', '=', track_path)
      .executeTakeFirstOrThrow();
    return row.id;
  }
  const features = async (name: string) => getTrackFeatures(ctx, actor, { track_id: await idOf(name) });

  test('[AF9] [AF3] a scan is followed by an analysis of what is new, and of nothing twice; an album shares its gain', async () => {
    await scan();
    expect(reader.asked.sort()).toEqual(['a.flac', 'b.flac', 'c.ogg']);
    const { state, loudness_lufs, gain_db, peak, chroma, brightness_hz } = await features('a.flac');
    expect(state).toBe('ready');
    expect(gain_db).toBeCloseTo(-18 - loudness_lufs!, 1);
    expect(peak).toBeGreaterThan(0.05);
    expect(chroma).toHaveLength(12);
    expect(brightness_hz).toBeGreaterThan(100);
    const [a, b, c] = [await features('a.flac'), await features('b.flac'), await features('c.ogg')];
    expect(a.album_gain_db).toBe(b.album_gain_db);
    expect(a.album_gain_db).toBeLessThanOrEqual(Math.max(a.gain_db!, b.gain_db!) + 0.2);
    expect(a.album_gain_db).toBeGreaterThanOrEqual(Math.min(a.gain_db!, b.gain_db!) - 0.2);
    expect(a.album_peak).toBe(Math.max(a.peak!, b.peak!));
    expect(c.album_gain_db).toBeCloseTo(c.gain_db!, 0);
    await scan();
    expect(reader.asked).toHaveLength(3);
    expect(analyser.state()).toBeNull();

    // A retag keeps the audio, and so what is known of it; the same audio elsewhere need not be decoded again.
    makeLibrary(root, {
      'a.flac': song(1, { frequency: 220, title: 'Other' }),
      'again.flac': song(7, { frequency: 230, album: 'Three' }),
      'd.wav': song(4, { frequency: 400 }),
    });
    await scan();
    expect(reader.asked.slice(3)).toEqual(['d.wav']);
    expect((await features('again.flac')).loudness_lufs).toBe((await features('b.flac')).loudness_lufs);
  });

  test('[AF9] other audio, and features of an older version, are computed anew', async () => {
    await scan();
    makeLibrary(root, { 'a.flac': song(1, { frequency: 600 }) });
    const of = await idOf('b.flac');
    await ctx.write((trx) =>
      trx.updateTable('track_features').set({ version: 0 }).where('track_id', '=', of).execute(),
    );
    expect(await features('b.flac')).toMatchObject({ state: 'waiting', loudness_lufs: null });
    await scan();
    expect(reader.asked.slice(3).sort()).toEqual(['a.flac', 'b.flac']);
    expect((await features('b.flac')).state).toBe('ready');
  });

  test('[AF10] similar tracks: nearest first, without itself, without what is gone; new ones are found at once', async () => {
    const sounds = createSounds(ctx);
    await scan();
    const ask = async (name: string, limit = 5) =>
      similarTracks(ctx, actor, { track_id: await idOf(name), limit }, sounds);
    const first = await ask('a.flac');
    expect(first.state).toBe('ready');
    expect(first.items.map(({ track }) => track.track_path)).toEqual(['b.flac', 'c.ogg']);
    expect(first.items[0]!.distance).toBeLessThan(first.items[1]!.distance);
    expect(first.items[0]!.reasons).toContain('similar_sound');
    expect((await ask('a.flac', 1)).items).toHaveLength(1);

    rmSync(path.join(root, 'b.flac'));
    makeLibrary(root, { 'e.flac': song(5, { frequency: 225 }) });
    await scan();
    expect((await ask('a.flac')).items.map(({ track }) => track.track_path)).toEqual(['e.flac', 'c.ogg']);

    await expect(similarTracks(ctx, actor, { track_id: 'x'.repeat(22), limit: 5 }, sounds)).rejects.toMatchObject({
      code: 'not_found',
    });
  });

  // Where the database plays no part, one of them will do.
  if (dialect.name !== 'sqlite') return;

  test('[AF9] stopped in the middle, it keeps what is done and goes on from there', async () => {
    reader.stopAfter = 1;
    ctx.clock.advance(60_000);
    scanner.start();
    await reader.isWaiting;
    expect(analyser.state()).toEqual({ done: 1, total: 3 });
    await analyser.stop();
    expect(await ctx.db.selectFrom('track_features').selectAll().execute()).toHaveLength(1);
    const done = reader.asked[0];
    begin();
    await scan();
    expect(reader.asked).toHaveLength(2);
    expect(reader.asked).not.toContain(done);
  });

  test('[AF9] no file is begun while a scan runs', async () => {
    let release = () => {};
    const scanned = new Promise<void>((resolve) => (release = resolve));
    await scan();
    const waiting = { calls: 0 };
    const other = createAnalyser(
      ctx,
      {
        whenIdle() {
          waiting.calls++;
          return scanned;
        },
      },
      () => reader,
    );
    other.start();
    await ctx.write((trx) => trx.deleteFrom('track_features').execute());
    const before = reader.asked.length;
    await analyser.stop();
    await ctx.events.publish({ name: 'library.scanned', payload: { added: 0, updated: 0, moved: 0, missing: 0 } });
    expect([waiting.calls, reader.asked.length]).toEqual([1, before]);
    release();
    await other.whenIdle();
    expect(reader.asked.length).toBe(before + 3);
  });

  test('[AF8] a file that cannot be analysed is told with its reason and not tried again; a passing trouble is', async () => {
    reader.answers.set('a.flac', { problem: 'crashed its decoder' });
    reader.answers.set('b.flac', { problem: 'was broken off', isPassing: true });
    await scan();
    expect(await features('a.flac')).toMatchObject({ state: 'failed', problem: 'crashed its decoder', gain_db: null });
    expect((await features('b.flac')).state).toBe('waiting');
    expect((await features('c.ogg')).state).toBe('ready');
    // Nothing is similar to it, and why is said.
    const asked = { track_id: await idOf('a.flac'), limit: 5 };
    expect(await similarTracks(ctx, actor, asked, createSounds(ctx))).toEqual({ state: 'failed', items: [] });
    reader.answers.clear();
    await scan();
    expect(reader.asked.slice(3)).toEqual(['b.flac']);
  });
});

test('[AF5] a tempo is a reason only where both are sure of it', () => {
  const sure = (tempo: number) => ({ tempo, confidence: 0.9 });
  expect(isSameTempo(sure(120), sure(122))).toBe(true);
  expect(isSameTempo(sure(81), sure(159))).toBe(true);
  expect(isSameTempo(sure(120), sure(130))).toBe(false);
  expect(isSameTempo(sure(120), { tempo: 120, confidence: 0.3 })).toBe(false);
  expect(isSameTempo(sure(120), undefined)).toBe(false);
});
