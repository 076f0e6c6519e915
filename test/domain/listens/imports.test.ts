import { mkdtemp, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ImportReport } from '#contract/jobs.ts';
import { cancelJob } from '#domain/jobs/cancel-job.ts';
import { job, jobRows, jobs } from '#domain/jobs/jobs.queries.ts';
import { claimJob, LEASE_MS } from '#domain/jobs/queue.ts';
import { importFile, makeImportFolder } from '#domain/listens/import/import-file.ts';
import { listenImports } from '#domain/listens/listens.jobs.ts';
import { matchRecordings } from '#domain/listens/match-recordings.ts';
import { startImport } from '#domain/listens/start-import.ts';
import { sortKey } from '#domain/library/library.rules.ts';
import { createJobRunner } from '#server/jobs/runner.ts';
import { person, testCtx } from '../../support/ctx.ts';
import { DIALECTS } from '../../support/dialects.ts';
import {
  BEGIN,
  lastfmMinutes,
  lastfmSeconds,
  lbLines,
  madeListens,
  packZip,
  spotifyRows,
} from '../../support/exports.ts';
import { putTracks } from '../../support/room.ts';
import type { Job } from '#contract/jobs.ts';
import type { Actor } from '#domain/context.ts';
import type { JobRunner } from '#server/jobs/runner.ts';
import type { TestCtx } from '../../support/ctx.ts';
import type { TestDatabase } from '../../support/dialects.ts';

describe.each(DIALECTS)('imports on $name', (dialect) => {
  let database: TestDatabase;
  let ctx: TestCtx;
  let ana: Actor;
  let dataDir: string;
  let runner: JobRunner;
  beforeAll(async () => {
    database = await dialect.open();
    dataDir = await mkdtemp(path.join(tmpdir(), 'stepheybot-imports-'));
  });
  afterAll(async () => {
    await database.close();
    await rm(dataDir, { recursive: true, force: true });
  });
  beforeEach(async () => {
    await database.close();
    database = await dialect.open();
    ctx = testCtx(database, { dataDir });
    ana = await person(ctx, 'ana');
    runner = createJobRunner(ctx, { listen_import: listenImports(ctx) });
  });

  /** Lays a file where an upload would, and puts its job into the queue. */
  async function bring(
    content: string | Buffer | Record<string, string | Buffer>,
    who = ana,
    on: TestCtx = ctx,
  ): Promise<string> {
    const job_id = ctx.ids.id();
    await makeImportFolder(ctx);
    const file = importFile(ctx, job_id);
    if (typeof content === 'string' || Buffer.isBuffer(content)) await writeFile(file, content);
    else await packZip(file, content);
    await startImport(on, who, { job_id, title: 'my past.zip', size_bytes: (await stat(file)).size });
    return job_id;
  }
  /** As `bring`; no runner hears of it until it looks by itself. */
  const wait = (content: string, who = ana) => bring(content, who, { ...ctx, events: { on() {}, async publish() {} } });
  async function imported(content: Parameters<typeof bring>[0], who = ana): Promise<Job & { report: ImportReport }> {
    const id = await bring(content, who);
    await runner.whenIdle();
    const found = await job(ctx, who, { id });
    return { ...found, report: found.report! };
  }
  const sessions = () =>
    database.db.selectFrom('listening_sessions').selectAll().orderBy('started_at').orderBy('id').execute();
  const counts = async () => (await sessions()).filter((row) => row.counted === 1).length;
  async function song(n: number, duration: number | null = 200): Promise<string> {
    const [id] = await putTracks(ctx, 1, { duration });
    const [title, artist, album] = [`Song ${n}`, `Artist ${n % 40}`, `Album ${n % 60}`];
    const title_sort = sortKey(title, artist);
    await ctx.write((trx) =>
      trx.updateTable('tracks').set({ title, artist, album, title_sort }).where('id', '=', id!).execute(),
    );
    return id!;
  }

  const FORMATS: [string, (made: ReturnType<typeof madeListens>) => Parameters<typeof bring>[0], string][] = [
    ['a zip of ListenBrainz', (made) => ({
        'user.json': '{"user_id": 5, "username": "ana"}',
        'listens/2021/1.jsonl': lbLines(made.slice(0, 40)),
        'listens/2021/10.jsonl': lbLines(made.slice(60)),
        'listens/2021/2.jsonl': lbLines(made.slice(40, 60)),
        'pinned_recording.jsonl': '{"blurb_content": "x", "recording_msid": null}\n',
      }), 'listenbrainz'],
    ['lines of ListenBrainz', lbLines, 'listenbrainz'],
    ['a list of ListenBrainz', (made) => `[${lbLines(made).trim().split('\n').join(',')}]`, 'listenbrainz'],
    ['Last.fm in minutes', lastfmMinutes, 'lastfm'],
    ['Last.fm in seconds', lastfmSeconds, 'lastfm'],
    ['Last.fm after a trip through a spreadsheet', (made) => Buffer.from(`\ufeff${lastfmSeconds(made).replaceAll(',', ';')}`, 'utf16le'), 'lastfm'],
    ['Last.fm without a header', (made) => lastfmSeconds(made).split('\r\n').slice(1).join('\r\n'), 'lastfm'],
    ['a file of Spotify', (made) => JSON.stringify(spotifyRows(made)), 'spotify'],
    ['a zip of Spotify', (made) => ({
        'Spotify Extended Streaming History/ReadMeFirst.pdf': Buffer.from([0x25, 0x50, 0, 0xff, 0]),
        'Spotify Extended Streaming History/Streaming_History_Audio_2021_0.json': JSON.stringify(spotifyRows(made.slice(0, 50)), null, 2),
        'Spotify Extended Streaming History/Streaming_History_Audio_2021_1.json': JSON.stringify(spotifyRows(made.slice(50))),
        'Spotify Extended Streaming History/Streaming_History_Video_2021.json': JSON.stringify(spotifyRows(made)),
      }), 'spotify'],
    ['the account data of Spotify', (made) => ({
        'MyData/StreamingHistory_music_0.json': JSON.stringify(made.map(({ at, artist, title }) => ({
            endTime: new Date(at * 1000 + 200_000).toISOString().slice(0, 16).replace('T', ' '),
            artistName: artist, trackName: title, msPlayed: 200_000,
          }))),
        'MyData/Playlist1.json': '{"playlists": [{"name": "x", "items": []}]}',
        'MyData/YourLibrary.json': '{\n  "tracks": [],\n  "albums": []\n}',
      }), 'spotify'],
  ]; // prettier-ignore

  test.each(FORMATS)('[IM1-4] %s, told by its content; brought twice it adds nothing', async (_what, make, format) => {
    const made = madeListens(90);
    const track_id = await song(0);
    const first = await imported(make(made));
    const matched = made.filter(({ title }) => title === 'Song 0').length;
    expect([first.state, first.problem]).toEqual(['done', null]);
    expect(first.done).toBe(first.total);
    expect(first.report).toMatchObject({
      format,
      read: 90,
      imported: 90,
      matched,
      reasons: { unmatched: 90 - matched },
    });
    const rows = await sessions();
    expect(rows).toHaveLength(90);
    for (const [i, { at }] of made.entries()) {
      // Where only the minute is kept it is that minute.
      expect(Math.abs(rows[i]!.started_at - at)).toBeLessThan(60);
    }
    expect(rows.filter((row) => row.track_id === track_id)).toHaveLength(matched);
    expect(new Set(rows.map(({ source, counted }) => `${source} ${counted}`))).toEqual(new Set(['import 1']));

    const again = await imported(make(made));
    expect(again.report).toMatchObject({ read: 90, imported: 0, reasons: { duplicate: 90 } });
    expect(await sessions()).toHaveLength(90);
    expect(await readdir(path.join(dataDir, 'imports'))).toEqual([]);
  });

  test('[IM1-8] one past by three services is one past, whichever came first', async () => {
    const made = madeListens(120, { songs: 5 });
    // As each of them sees it: some seconds off, or by the minute.
    const shifted = made.map((one) => ({ ...one, at: one.at + 7 }));
    const files = [lbLines(made), lastfmMinutes(made), JSON.stringify(spotifyRows(shifted))];
    for (const [i, file] of files.entries()) {
      const { report } = await imported(file);
      expect([i, report.imported, report.reasons.duplicate ?? 0]).toEqual([i, i === 0 ? 120 : 0, i === 0 ? 0 : 120]);
    }
    const ben = await person(ctx, 'ben');
    for (const [i, file] of files.toReversed().entries()) {
      const { report } = await imported(file, ben);
      expect([i, report.imported]).toEqual([i, i === 0 ? 120 : 0]);
    }
  });

  test('[IM1-8] real repeats are kept: one song over and over, known in part', async () => {
    // A song of a minute, thirty times in a row; another service missed every third.
    const made = Array.from({ length: 30 }, (_, i) => ({ at: BEGIN + i * 60, artist: 'A', title: 'Loop', album: '' }));
    const seen = made.filter((_one, i) => i % 3 !== 2);
    expect((await imported(lbLines(seen))).report.imported).toBe(20);
    const { report } = await imported(lastfmMinutes(made));
    expect(report).toMatchObject({ read: 30, imported: 10, reasons: { duplicate: 20 } });
    expect(await counts()).toBe(30);
    expect((await imported(lastfmMinutes(made))).report.imported).toBe(0);
    expect((await imported(lbLines(seen))).report.imported).toBe(0);
  });

  test('[IM1-7] what Spotify played counts as ours does where the length is known, else from 30 s', async () => {
    await song(1, 600);
    await song(2, 29);
    const at = (n: number, title: string) => ({
      at: BEGIN + n * 3600,
      artist: `Artist ${title.slice(5)}`,
      title,
      album: '',
    });
    const rows = [
      ...spotifyRows([at(0, 'Song 1')], 240_000),
      ...spotifyRows([at(1, 'Song 1')], 239_000),
      ...spotifyRows([at(2, 'Song 2')], 29_000),
      ...spotifyRows([at(3, 'Song 9')], 30_000),
      ...spotifyRows([at(4, 'Song 9')], 29_999, { skipped: true }),
      ...spotifyRows([at(5, 'Song 9')], 0),
      ...spotifyRows([at(6, 'Song 9')], 60_000, { incognito_mode: true }),
      ...spotifyRows([at(7, 'x')], 60_000, { master_metadata_track_name: null, episode_name: 'Episode 5' }),
      ...spotifyRows([at(8, 'x')], 60_000, { master_metadata_track_name: null }),
    ];
    const { report } = await imported(JSON.stringify(rows));
    expect(report).toMatchObject({
      read: 9,
      imported: 3,
      reasons: { too_short: 4, podcast: 1, no_title: 1, unmatched: 2 },
    });
    const found = (await sessions()).map((row) => [
      (row.started_at - BEGIN) / 3600,
      row.counted,
      row.skipped,
      row.is_hidden,
    ]);
    expect(found).toEqual([
      [0, 1, 0, 0],
      [1, 0, 0, 0],
      [2, 0, 0, 0],
      [3, 1, 0, 0],
      [4, 0, 1, 0],
      [6, 1, 0, 1],
    ]);
    expect(JSON.stringify(await sessions())).not.toContain('192.0.2.1');
  });

  test('[IM1-6] every row that is not taken says why', async () => {
    const line = (listened_at: unknown, track_metadata: unknown) => JSON.stringify({ listened_at, track_metadata });
    const names = { artist_name: 'A', track_name: 'B' };
    const now = Math.floor(ctx.clock.nowMs() / 1000);
    const content = [
      line(BEGIN, names),
      '',
      '{"listened_at": 5,',
      line(BEGIN, { artist_name: 'A' }),
      line(BEGIN, { artist_name: ' ', track_name: 'B' }),
      line('yesterday', names),
      line(1, names),
      line(now + 7200, names),
      line(BEGIN, { ...names, track_name: 'x'.repeat(1_001) }),
      `{"listened_at": ${BEGIN}, "track_metadata": {"track_name": "${'x'.repeat(300_000)}"}}`,
      line(BEGIN, { ...names, track_name: 'a\u0000b\u202e' }),
      line(BEGIN + 0.5, { ...names, track_name: 'b' }),
    ].join('\n');
    const { id, report } = await imported(content);
    expect(report).toMatchObject({
      read: 11,
      imported: 2,
      reasons: {
        unreadable: 2,
        no_title: 1,
        no_artist: 1,
        no_time: 1,
        too_old: 1,
        in_future: 1,
        too_long_text: 1,
        duplicate: 1,
      },
    });
    const first = await jobRows(ctx, ana, { id, limit: 4 });
    const rest = await jobRows(ctx, ana, { id, limit: 50, cursor: first.next_cursor! });
    expect([...first.items, ...rest.items].map(({ place, reason }) => `${place} ${reason}`)).toEqual([
      '1 unmatched',
      '3 unreadable',
      '4 no_title',
      '5 no_artist',
      '6 no_time',
      '7 too_old',
      '8 in_future',
      '9 too_long_text',
      '10 unreadable',
      '11 unmatched',
      '12 duplicate',
    ]);
    const only = await jobRows(ctx, ana, { id, limit: 50, reason: 'no_artist' });
    expect(only.items.map(({ place, text }) => [place, text])).toEqual([['5', 'B']]);
  });

  const HOSTILE: [string, Parameters<typeof bring>[0]][] = [
    ['nothing known', 'just some words\nand more of them\n'],
    ['a picture', Buffer.from([0x89, 0x50, 0x4e, 0x47, 0, 1, 2, 3])],
    ['a broken archive', Buffer.concat([Buffer.from('PK\x03\x04'), Buffer.alloc(500, 7)])],
    ['an empty archive', Buffer.from('504b0506000000000000000000000000000000000000', 'hex')],
    ['an archive of other things', { 'a.txt': 'hello', 'b.json': '{"playlists": []}', 'c.json': '[1, 2, 3]' }],
    ['a list of nothing', '[]'],
    ['lists within lists', '['.repeat(100_000)],
    ['one line without an end', 'x'.repeat(3_000_000)],
    ['objects of another kind', '[{"a": 1}, {"b": 2}]'],
    ['quotes without an end', `${'"a,b\n'.repeat(2_000)}`],
  ];
  test.each(HOSTILE)('[IM1-3] %s is a clear refusal', async (_what, content) => {
    const found = await imported(content);
    expect(found.state).toBe('failed');
    expect(found.problem).toMatch(/no listening history|archive cannot be read/);
    expect(await sessions()).toEqual([]);
    expect(await readdir(path.join(dataDir, 'imports'))).toEqual([]);
  });

  test('[IM1-3] an archive that is worse than it looks loses only its bad parts', async () => {
    const made = madeListens(10);
    const zip = path.join(dataDir, 'hostile.zip');
    await packZip(zip, {
      'listens/2021/1.jsonl': lbLines(made.slice(0, 5)),
      'listens/2021/2.jsonl': lbLines(made.slice(5)),
    });
    const { readFile } = await import('node:fs/promises');
    const bytes = await readFile(zip);
    await rm(zip);
    // The first entry's bytes are not what its checksum says; and a name leads out of the folder.
    const damaged = Buffer.from(bytes);
    damaged.fill(0x55, 60, 90);
    const found = await imported(damaged);
    expect(found.report.imported).toBe(5);
    expect(found.report.reasons.unreadable).toBe(1);

    const renamed = Buffer.from(
      bytes.toString('latin1').replaceAll('listens/2021/1.jsonl', '../../../../etc/pass'),
      'latin1',
    );
    const other = await imported(renamed, await person(ctx, 'ben'));
    expect(other.report.imported).toBe(10);
    expect(await readdir(path.join(dataDir, 'imports'))).toEqual([]);
  });

  test('[IM1-3] an archive that unpacks to more than is taken is not unpacked', async () => {
    const zip = path.join(dataDir, 'bomb.zip');
    await packZip(zip, { 'a.jsonl': lbLines(madeListens(3)) });
    const { readFile } = await import('node:fs/promises');
    const bytes = await readFile(zip);
    await rm(zip);
    const directory = bytes.indexOf(Buffer.from('PK\x01\x02', 'latin1'));
    const claims = Buffer.from(bytes);
    claims.writeUInt32LE(3_000_000_000, directory + 24);
    expect((await imported(claims)).problem).toMatch(/more than 2 GB/);
    // Fewer than there are: it is stopped where it said it ends.
    const lies = Buffer.from(bytes);
    lies.writeUInt32LE(100, directory + 24);
    const found = await imported(lies);
    expect(found.report?.imported ?? 0).toBe(0);
    expect(await sessions()).toEqual([]);
  });

  test('[IM1-10] what people love comes along, and is a favourite once its track is there', async () => {
    const track_id = await song(0);
    const [loved, hated] = [crypto.randomUUID(), crypto.randomUUID()];
    const listen = (title: string, n: number, recording_msid: string) =>
      JSON.stringify({
        listened_at: BEGIN,
        track_metadata: { artist_name: `Artist ${n}`, track_name: title, recording_msid },
      });
    const zip = {
      'feedback.jsonl': [
        { recording_msid: loved, recording_mbid: null, score: 1, created: BEGIN },
        { recording_msid: hated, recording_mbid: null, score: -1, created: BEGIN + 5 },
        { recording_msid: crypto.randomUUID(), recording_mbid: null, score: 1, created: BEGIN },
        { recording_msid: null, recording_mbid: 'no mbid', score: 1, created: BEGIN },
      ]
        .map((row) => JSON.stringify(row))
        .join('\n'),
      'listens/2021/1.jsonl': [listen('Song 0', 0, loved), listen('Song 1', 1, hated)].join('\n'),
    };
    expect((await imported(zip)).report.imported).toBe(2);
    const hearts = () => database.db.selectFrom('user_favorites').selectAll().execute();
    const feedback = () => database.db.selectFrom('listen_feedback').selectAll().execute();
    expect(await hearts()).toEqual([
      { user_id: ana.user_id, track_id, rating: null, favorited_at: BEGIN, notes: null, version: 1 },
    ]);
    expect(await feedback()).toMatchObject([{ track_id: null, score: -1 }]);
    const late = await song(1);
    expect(await matchRecordings(ctx)).toBe(1);
    expect(await feedback()).toMatchObject([{ track_id: late, subject: `t:${late}`, score: -1 }]);
    expect(await hearts()).toHaveLength(1);
  });

  test('[LBZ1-21] what comes into the library later is found in the past, and its days are counted anew', async () => {
    await imported(lbLines(madeListens(50, { songs: 10 })));
    await ctx.write((trx) => trx.deleteFrom('stale_days').execute());
    expect(await matchRecordings(ctx)).toBe(0);
    const track_id = await song(3);
    expect(await matchRecordings(ctx)).toBe(1);
    const found = (await sessions()).filter((row) => row.track_id === track_id);
    expect(found).toHaveLength(5);
    const stale = await database.db.selectFrom('stale_days').selectAll().execute();
    expect(stale.map((row) => row.local_day)).toEqual([...new Set(found.map((row) => row.local_day))]);
    expect(await matchRecordings(ctx)).toBe(0);
  });

  test('[JB1-2] one import of a person at a time', async () => {
    const first = await wait(lbLines(madeListens(1)));
    await expect(wait(lbLines(madeListens(1)))).rejects.toMatchObject({ code: 'conflict' });
    const ben = await person(ctx, 'ben');
    await bring(lbLines(madeListens(1)), ben);
    await runner.whenIdle();
    await imported(lbLines(madeListens(1)));
    const mine = await jobs(ctx, ana, { limit: 50 });
    expect(mine.items).toHaveLength(2);
    await expect(job(ctx, ben, { id: first })).rejects.toMatchObject({ code: 'not_found' });
    await expect(jobRows(ctx, ben, { id: first, limit: 5 })).rejects.toMatchObject({ code: 'not_found' });
    await expect(cancelJob(ctx, ben, { id: first })).rejects.toMatchObject({ code: 'not_found' });
    await rm(path.join(dataDir, 'imports'), { recursive: true });
  });

  test('[JB1-4] cancelled, it writes nothing more; over, it is taken off the list', async () => {
    const waiting = await wait(lbLines(madeListens(3)));
    await cancelJob(ctx, ana, { id: waiting });
    await runner.whenIdle();
    expect(await sessions()).toEqual([]);
    expect((await job(ctx, ana, { id: waiting })).state).toBe('cancelled');
    expect(await readdir(path.join(dataDir, 'imports'))).toEqual([]);

    let id = '';
    let seen = 0;
    ctx.events.on('job.progressed', async ({ state, done }) => {
      if (state !== 'running' || done === 0 || seen > 0) return;
      await cancelJob(ctx, ana, { id });
      seen = await counts();
    });
    id = await wait(lbLines(madeListens(3_000)));
    await runner.whenIdle();
    expect(seen).toBeGreaterThanOrEqual(500);
    expect(seen).toBeLessThan(3_000);
    expect(await counts()).toBe(seen);
    const found = await job(ctx, ana, { id });
    expect([found.state, found.report?.imported]).toEqual(['cancelled', seen]);
    expect(ctx.happened.filter(({ name }) => name === 'job.progressed').at(-1)?.payload).toMatchObject({
      state: 'cancelled',
    });
    expect(await readdir(path.join(dataDir, 'imports'))).toEqual([]);
    await cancelJob(ctx, ana, { id });
    await expect(job(ctx, ana, { id })).rejects.toMatchObject({ code: 'not_found' });
    expect(await database.db.selectFrom('job_rows').selectAll().execute()).toEqual([]);
  });

  test('[JB1-3] parked by the end of a server, it goes on where it was', async () => {
    const made = madeListens(2_200);
    let stopping: Promise<void> | null = null;
    ctx.events.on('job.progressed', ({ state }) => {
      if (state === 'running') stopping ??= runner.stop();
    });
    const id = await wait(lbLines(made));
    await runner.whenIdle();
    await stopping;
    const parked = await job(ctx, ana, { id });
    expect(parked.state).toBe('queued');
    const before = await counts();
    expect(before).toBeGreaterThanOrEqual(500);
    expect(before).toBeLessThan(2_200);
    expect(parked.report?.imported).toBe(before);
    const next = createJobRunner(ctx, { listen_import: listenImports(ctx) });
    await next.whenIdle();
    const done = await job(ctx, ana, { id });
    expect([done.state, done.report?.read, done.report?.imported]).toEqual(['done', 2_200, 2_200]);
    expect(done.report?.reasons).toEqual({ unmatched: 2_200 });
    expect(await counts()).toBe(2_200);
  });

  test('[JB1-3] a runner that died is followed by another, and one that comes back late writes nothing', async () => {
    const id = await wait(lbLines(madeListens(700)));
    const dead = (await claimJob(ctx))!;
    expect(await claimJob(ctx)).toBeNull();
    await runner.whenIdle();
    expect((await job(ctx, ana, { id })).state).toBe('running');
    ctx.clock.advance(LEASE_MS);
    await runner.whenIdle();
    expect((await job(ctx, ana, { id })).state).toBe('done');
    const { writeCheckpoint } = await import('#domain/jobs/queue.ts');
    const { inTransaction } = await import('#domain/unit-of-work.ts');
    const late = inTransaction(ctx, (tx) =>
      writeCheckpoint(tx, dead, { done: 1, total: 2, report_json: '{}', rows: [] }),
    );
    await expect(late).rejects.toThrow(/not this runner/);
    expect((await job(ctx, ana, { id })).report?.imported).toBe(700);
  });

  test('[JB1-3] one that dies each time it is begun is given up, honestly', async () => {
    const id = await wait(lbLines(madeListens(5)));
    for (let i = 0; i < 6; i++) {
      await claimJob(ctx);
      ctx.clock.advance(LEASE_MS);
    }
    await runner.whenIdle();
    const found = await job(ctx, ana, { id });
    expect([found.state, found.problem]).toEqual(['failed', expect.stringMatching(/broke off each time/)]);
  });

  test('[JB1-3] while the disk is full or the database away it waits, longer each time', async () => {
    const id = await wait(lbLines(madeListens(600)));
    const real = ctx.write;
    let failures = 2;
    ctx.write = async (fn) => {
      if (failures > 0 && (await job(ctx, ana, { id })).state === 'running') {
        failures--;
        const code = dialect.name === 'sqlite' ? 'SQLITE_FULL' : '53100';
        throw Object.assign(new Error('full'), { code });
      }
      return real(fn);
    };
    await runner.whenIdle();
    // Its own postponement met the second failure: whoever comes next takes it over.
    expect(await counts()).toBe(0);
    ctx.clock.advance(600_000);
    await runner.whenIdle();
    expect((await job(ctx, ana, { id })).state).toBe('done');
    expect(await counts()).toBe(600);
  });

  test('[JB1-5] an owner hears at most four times a second, and of the end always', async () => {
    const id = await bring(lbLines(madeListens(3_000)));
    await runner.whenIdle();
    const told = ctx.happened.flatMap((event) => (event.name === 'job.progressed' ? [event.payload] : []));
    // The clock stands still: once in a quarter of a second, and at the end.
    expect(told.map(({ state }) => state)).toEqual(['running', 'done']);
    const end = told.at(-1)!;
    expect([end.job_id, end.kind, end.done]).toEqual([id, 'listen_import', end.total]);
  });

  test('[JB1-6] what nobody owns any more is swept away: files, and jobs of long ago', async () => {
    const folder = path.join(dataDir, 'imports');
    const [old, fresh] = [path.join(folder, 'old.part'), path.join(folder, 'fresh.part')];
    await makeImportFolder(ctx);
    await writeFile(old, 'x');
    await writeFile(fresh, 'x');
    const at = ctx.clock.nowMs() / 1000;
    await utimes(old, at - 7_200, at - 7_200);
    await utimes(fresh, at, at);
    await listenImports(ctx).sweep(new Set());
    expect(await readdir(folder)).toEqual(['fresh.part']);
    const { id } = await imported(lbLines(madeListens(2)));
    const { forgetOldJobs } = await import('#domain/jobs/queue.ts');
    await forgetOldJobs(ctx);
    expect((await jobs(ctx, ana, { limit: 5 })).items.map((one) => one.id)).toEqual([id]);
    ctx.clock.advance(31 * 86_400_000);
    await forgetOldJobs(ctx);
    expect((await jobs(ctx, ana, { limit: 5 })).items).toEqual([]);
    expect(await counts()).toBe(2);
    await rm(folder, { recursive: true });
  });

  test('[IM1-9] 20,000 rows, counted to the last one', { timeout: 120_000 }, async () => {
    const made = madeListens(20_000);
    for (let n = 0; n < 100; n++) await song(n * 3);
    const matched = made.filter(({ title }) => Number(title.slice(5)) % 3 === 0).length;
    const first = await imported({
      'listens/2021/1.jsonl': lbLines(made.slice(0, 12_000)),
      'listens/2021/2.jsonl': lbLines(made.slice(12_000)),
    });
    expect(first.report).toMatchObject({
      read: 20_000,
      imported: 20_000,
      matched,
      reasons: { unmatched: 20_000 - matched },
    });
    expect([first.report.first_listen_at, first.report.last_listen_at]).toEqual([BEGIN, BEGIN + 19_999 * 240]);
    expect(await counts()).toBe(20_000);
    const days = await database.db.selectFrom('stale_days').selectAll().execute();
    expect(days).toHaveLength(new Set(made.map(({ at }) => Math.floor(at / 86_400))).size);
    // Kept for reading are the first of each reason.
    const rows = await database.db.selectFrom('job_rows').select('id').where('job_id', '=', first.id).execute();
    expect(rows).toHaveLength(5_000);
    // Another service knows half of it, to the minute, and 1,000 more.
    const more = [...made.slice(0, 10_000), ...madeListens(1_000, { from: BEGIN + 20_000 * 240 })];
    const second = await imported(lastfmMinutes(more));
    expect(second.report).toMatchObject({ read: 11_000, imported: 1_000, reasons: { duplicate: 10_000 } });
    expect(await counts()).toBe(21_000);
  });
});
