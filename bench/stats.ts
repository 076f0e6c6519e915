/**
 * Statistics and history out of 1,000,000 listens: processor time of whole answers over HTTP of the real server, in a process of
 * its own, and how long its event loop keeps others waiting meanwhile. Beside them, what a client waits, and the machine's own
 * speed: a loop of a fixed length, as long as it takes today.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import Database from 'better-sqlite3';
import { migrateSqliteFile } from '#db/migrate.ts';
import { openSqliteDatabase } from '#db/open.ts';
import { createApiToken } from '#domain/accounts/api-tokens.ts';
import { searchText, sortKey } from '#domain/library/library.rules.ts';
import { rebuildStats } from '#domain/stats/rebuild-stats.ts';
import { readConfig } from '#server/config.ts';
import { MIGRATIONS_DIR, createServer as createOurServer } from '#server/create-server.ts';
import { newIds } from '#server/ids.ts';
import { createLog } from '#server/log.ts';
import { AMPLE } from '../test/support/ample.ts';
import { person, testCtx } from '../test/support/ctx.ts';
import { seeded } from '../test/support/random.ts';
import { answerParent, startMeasured } from './support/child.ts';
import type { AddressInfo } from 'node:net';
import type { Schema } from '#domain/database.ts';

const DAY_S = 86_400;
const TRACKS = 8_000;
const ARTISTS = 600;
const ALBUMS = 1_200;
const GENRES = 25;
const RECORDINGS = 1_500;
/** Who hears how much over how many days until now. */
const LISTENERS = [
  { username: 'years', listens: 300_000, days: 3 * 365 },
  { username: 'dense', listens: 100_000, days: 365 },
  ...Array.from({ length: 6 }, (_, i) => ({ username: `other${i}`, listens: 100_000, days: 2 * 365 })),
];
/** Those who are asked about; the sums of the others are made when somebody asks. */
const MEASURED = 2;
const LISTENS = LISTENERS.reduce((sum, { listens }) => sum + listens, 0);
const YEAR = 2026;
const NOW_S = Date.UTC(YEAR, 11, 31, 20) / 1000;

const mode = process.argv[2];
if (mode === 'server') await serve();
else await measure();

/** The measured process: the server, which tells how long its loop kept others waiting since it was last asked. */
async function serve(): Promise<void> {
  const server = await createOurServer({
    config: readConfig({ PORT: '0', DATA_DIR: process.env.DATA_DIR, MUSIC_DIR: process.env.MUSIC_DIR }),
    log: createLog('error'),
    clock: { nowMs: () => NOW_S * 1000 },
    limits: AMPLE.limits,
  });
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const aside = createServer((req, res) => {
    const { user, system } = process.cpuUsage();
    // The timer of the histogram itself is a millisecond.
    res.end(
      JSON.stringify({
        cpuMs: (user + system) / 1000,
        p99: Math.max(0, delay.percentile(99) / 1e6 - 1),
        max: delay.max / 1e6 - 1,
      }),
    );
    if (req.url !== '/cpu') delay.reset();
  }).listen(0, '127.0.0.1', () => {
    answerParent({ url: server.url, delayUrl: `http://127.0.0.1:${(aside.address() as AddressInfo).port}` });
  });
}

function fillLibrary(db: Database.Database) {
  const random = seeded(7);
  const ids = (count: number) => Array.from({ length: count }, () => newIds.id());
  const [artists, albums, tracks, recordings] = [ids(ARTISTS), ids(ALBUMS), ids(TRACKS), ids(RECORDINGS)];
  const words = ['amber', 'river', 'stone', 'night', 'glass', 'cedar', 'north', 'echo', 'paper', 'silver'];
  const title = (n: number) => `${random.pick(words)} ${random.pick(words)} ${n}`;
  const insert = (table: string, row: Record<string, unknown>) =>
    db
      .prepare(
        `insert into ${table} (${Object.keys(row).join(', ')}) values (${Object.keys(row)
          .map(() => '?')
          .join(', ')})`,
      )
      .run(Object.values(row));
  db.transaction(() => {
    for (const [n, id] of artists.entries()) {
      const name = `Artist ${n}`;
      insert('artists', {
        id,
        artist_key: name.toLowerCase(),
        name,
        name_sort: sortKey(name),
        search_text: searchText(name),
      });
    }
    for (const [n, id] of albums.entries()) {
      const artist = `Artist ${n % ARTISTS}`;
      insert('albums', {
        id,
        album_key: `${artist.toLowerCase()}\nalbum ${n}`,
        title: `Album ${n}`,
        album_artist: artist,
        year: 2000,
        title_sort: sortKey(`Album ${n}`),
        search_text: searchText(`Album ${n}`, artist),
      });
    }
    for (const [n, id] of tracks.entries()) {
      const album = n % ALBUMS;
      const artist = `Artist ${album % ARTISTS}`;
      const name = title(n);
      insert('tracks', {
        id,
        library_root: '/music',
        track_path: `${n}.flac`,
        title: name,
        artist,
        album: `Album ${album}`,
        album_artist: artist,
        duration: 200,
        album_id: albums[album],
        artist_id: artists[album % ARTISTS],
        audio_hash: id,
        file_size_bytes: 1,
        file_mtime_ms: 1,
        search_text: searchText(name, artist, `Album ${album}`),
        title_sort: sortKey(name),
        artist_sort: sortKey(artist),
        album_sort: sortKey(`Album ${album}`),
        added_at: 1,
        updated_at: 1,
      });
      for (const genre of new Set([random.int(GENRES), random.int(GENRES)])) {
        insert('track_genres', { track_id: id, genre_key: `genre ${genre}`, name: `Genre ${genre}` });
      }
    }
    for (const [n, id] of recordings.entries()) {
      const [name, artist] = [title(n), `Elsewhere ${n % 300}`];
      insert('recordings', {
        id,
        recording_key: id,
        match_key: id,
        title: name,
        artist,
        album: `Abroad ${n % 500}`,
        search_text: searchText(name, artist),
        created_at: 1,
      });
    }
  })();
  return { tracks, recordings, artists, albums };
}

/** Listens spread over the days, some of music from elsewhere, some skipped, some in private. */
function fillListens(
  db: Database.Database,
  { tracks, recordings }: ReturnType<typeof fillLibrary>,
  user_id: string,
  { listens, days }: { listens: number; days: number },
): void {
  const random = seeded(listens + days);
  const statement = db.prepare(`insert into listening_sessions (
    id, user_id, track_id, recording_id, started_at, ended_at, utc_offset_s, local_day, duration_played, completed, counted, skipped,
    is_hidden, source, position_ms, reported_at_ms, state, spans_json, wall_json, inserted_at
  ) values (?, ?, ?, ?, ?, ?, 0, ?, ?, 1, ?, ?, ?, ?, 0, ?, 'stopped', ?, ?, ?)`);
  const step = (days * DAY_S) / listens;
  db.transaction(() => {
    for (let n = 0; n < listens; n++) {
      const at = Math.floor(NOW_S - (listens - n) * step);
      const isElsewhere = random.int(20) === 0;
      const isSkipped = random.int(12) === 0;
      const seconds = isSkipped ? 10 : 120 + random.int(80);
      // A few are heard often, most now and then.
      const track = tracks[Math.floor(random.next() ** 2.5 * tracks.length)];
      statement.run(
        newIds.id(), user_id, isElsewhere ? null : track, isElsewhere ? random.pick(recordings) : null, at, at + seconds,
        Math.floor(at / DAY_S), seconds, isSkipped ? 0 : 1, isSkipped ? 1 : 0, random.int(50) === 0 ? 1 : 0,
        random.int(200) === 0 ? 'mobile' : 'web', (at + seconds) * 1000, `[[0,${seconds * 1000}]]`,
        `[[${at * 1000},${(at + seconds) * 1000}]]`, at,
      ); // prettier-ignore
    }
  })();
}

interface Hello {
  url: string;
  delayUrl: string;
}

interface Figure {
  name: string;
  value: number;
  unit: string;
  must?: number;
}
function print({ value, ...figure }: Figure): void {
  console.log(JSON.stringify({ ...figure, value: Math.round(value * 100) / 100, direction: 'max' }));
}

/** How long a fixed loop takes: what the machine gives today. */
function machineMs(): number {
  const times = Array.from({ length: 5 }, () => {
    const startedMs = performance.now();
    let sum = 0;
    for (let i = 0; i < 50_000_000; i++) sum = (sum + i * 31) | 0;
    return performance.now() - startedMs + (sum === 1 ? 1 : 0);
  });
  return Math.min(...times);
}

async function measure(): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), 'bench-stats-'));
  const data = path.join(folder, 'data');
  const file = path.join(data, 'stepheybot.db');
  mkdirSync(path.join(folder, 'music'));
  mkdirSync(data);
  let server: Awaited<ReturnType<typeof startMeasured<Hello>>> | null = null;
  try {
    print({ name: 'stats: the machine, 50 million steps of a loop', value: machineMs(), unit: 'ms' });
    await migrateSqliteFile(file, MIGRATIONS_DIR);
    const database = openSqliteDatabase<Schema>(file);
    const ctx = testCtx({ ...database, file });
    ctx.clock.set(NOW_S * 1000);
    const people: { user_id: string; token: string }[] = [];
    for (const { username } of LISTENERS) {
      const { user_id } = await person(ctx, username);
      const { token } = await createApiToken(ctx, user_id, { name: 'bench', scopes: ['read', 'write'] });
      people.push({ user_id, token });
    }
    const raw = new Database(file);
    raw.pragma('synchronous = off');
    const library = fillLibrary(raw);
    let startedMs = performance.now();
    const indexes = raw
      .prepare<[], { name: string; sql: string }>(
        `select name, sql from sqlite_master where type = 'index' and tbl_name = 'listening_sessions' and sql is not null`,
      )
      .all();
    for (const { name } of indexes) raw.exec(`drop index "${name}"`);
    for (const [i, listener] of LISTENERS.entries()) fillListens(raw, library, people[i]!.user_id, listener);
    for (const { sql } of indexes) raw.exec(sql);
    raw.close();
    print({ name: `stats: ${LISTENS} listens put there`, value: (performance.now() - startedMs) / 1000, unit: 's' });
    const before = (await stat(file)).size;
    startedMs = performance.now();
    for (const { user_id } of people.slice(0, MEASURED)) await rebuildStats(ctx, user_id);
    print({ name: 'stats: the sums of 400,000 rebuilt', value: (performance.now() - startedMs) / 1000, unit: 's' });
    for (const table of ['listen_days', 'listen_rollups'] as const) {
      const { count } = await database.db
        .selectFrom(table)
        .select((eb) => eb.fn.countAll<number>().as('count'))
        .executeTakeFirstOrThrow();
      console.log(`  ${table}: ${count} rows`);
    }
    await database.close();
    console.log(
      `  the sessions take ${(before / 2 ** 20).toFixed(0)} MiB, all ${((await stat(file)).size / 2 ** 20).toFixed(0)}`,
    );

    server = await startMeasured<Hello>(import.meta.filename, 'server', {
      DATA_DIR: data,
      MUSIC_DIR: path.join(folder, 'music'),
    });
    await measureAnswers(server.hello, people, library);
  } finally {
    await server?.kill();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The processor time of one question, and the middle and the slow end of what it takes, after a few that warm it up. */
async function timed(
  ask: () => Promise<unknown>,
  cpuMs: () => Promise<number>,
  rounds = 40,
): Promise<{ cpu: number; median: number; p95: number }> {
  for (let i = 0; i < 5; i++) await ask();
  const times: number[] = [];
  const before = await cpuMs();
  for (let i = 0; i < rounds; i++) {
    const startedMs = performance.now();
    await ask();
    times.push(performance.now() - startedMs);
  }
  const cpu = ((await cpuMs()) - before) / rounds;
  times.sort((a, b) => a - b);
  return { cpu, median: times[Math.floor(rounds / 2)] ?? 0, p95: times[Math.floor(rounds * 0.95)] ?? 0 };
}

async function measureAnswers(
  { url, delayUrl }: Hello,
  people: readonly { user_id: string; token: string }[],
  library: ReturnType<typeof fillLibrary>,
): Promise<void> {
  const [years, dense] = [people[0]!, people[1]!];
  const call = async <T>(token: string, address: string, method = 'GET'): Promise<T> => {
    const response = await fetch(`${url}/api/v1${address}`, { method, headers: { authorization: `Bearer ${token}` } });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${address} answered ${response.status}: ${text}`);
    return (text === '' ? null : JSON.parse(text)) as T;
  };
  const delay = async () => (await (await fetch(delayUrl)).json()) as { cpuMs: number; p99: number; max: number };
  const note = async (name: string, ask: () => Promise<unknown>, must?: number, rounds?: number): Promise<void> => {
    // What is asked for the figure must not clear the histogram.
    const cpuMs = async () => ((await (await fetch(`${delayUrl}/cpu`)).json()) as { cpuMs: number }).cpuMs;
    const { cpu, median, p95 } = await timed(ask, cpuMs, rounds);
    print({ name: `stats: ${name}`, value: cpu, unit: 'ms of processor', ...(must === undefined ? {} : { must }) });
    console.log(`  ${name}: half within ${median.toFixed(2)}, 95 % within ${p95.toFixed(2)} ms`);
  };

  const year = `/listen/stats?period=year&date=${YEAR}-06-01`;
  const { totals } = await call<{ totals: { listens: number; tracks: number; artists: number } }>(years.token, year);
  if (totals.listens < 80_000) throw new Error(`the year has ${totals.listens} listens only`);
  console.log(`  the year of the one with three years: ${JSON.stringify(totals)}`);
  await note('a bare answer (GET /readyz)', async () => (await fetch(`${url}/readyz`)).text());
  await delay();
  await note('a year out of three', () => call(years.token, year), 20);
  await note('a year, all of it dense', () => call(dense.token, year), 20);
  const duringStats = await delay();
  await note('a year in review', () => call(years.token, `/listen/stats/year/${YEAR}`));
  await note('a week', () => call(years.token, '/listen/stats'));
  await note('all time', () => call(years.token, '/listen/stats?period=all'));
  await note('some 14 months and a half', () =>
    call(years.token, `/listen/stats?from=${YEAR - 1}-01-17&to=${YEAR}-04-03`),
  );
  const duringOthers = await delay();

  type Page = { items: { id: string; text: { title: string } }[]; next_cursor: string | null };
  let deep: string | null = null;
  for (let i = 0; i < 300; i++) {
    const page: Page = await call(years.token, `/listen/history?limit=200${deep === null ? '' : `&cursor=${deep}`}`);
    deep = page.next_cursor;
  }
  const rare = await call<Page>(years.token, `/listen/history?limit=1&cursor=${deep}`);
  const number = rare.items[0]!.text.title.split(' ').at(-1)!;
  await delay();
  for (const [name, query] of [
    ['the first', ''],
    ['60,000 listens deep', `cursor=${deep}`],
    ['of everything', 'include=all'],
    ['of skips', 'include=skips'],
    ['skips, deep', `include=skips&cursor=${deep}`],
    ['of a track', `track_id=${library.tracks[3]}`],
    ['of a rare track', `track_id=${library.tracks.at(-5)}`],
    ['of an artist', `artist_id=${library.artists[1]}`],
    ['of an artist, deep', `artist_id=${library.artists.at(-7)}&cursor=${deep}`],
    ['of an album', `album_id=${library.albums[900]}`],
    ['of a rare source', 'source=mobile'],
    ['of a rare source, deep', `source=mobile&cursor=${deep}`],
    ['of music from elsewhere', 'in_library=false'],
    ['of music from elsewhere, deep', `in_library=false&cursor=${deep}`],
    ['of a month two years ago', `from=${NOW_S - 730 * DAY_S}&to=${NOW_S - 700 * DAY_S}`],
    ['for a word of many titles', 'q=amber'],
    ['for a word of many titles, deep', `q=amber&cursor=${deep}`],
    ['for two words', 'q=amber%20river'],
    ['for a word of one title', `q=${number}`],
    ['for an artist from elsewhere', 'q=elsewhere%2017'],
    ['for a word of none', 'q=xylophone'],
  ] as const) {
    await note(`a page of history, ${name}`, () => call(years.token, `/listen/history?${query}`), 5);
  }
  const duringHistory = await delay();

  const { items } = await call<Page>(years.token, '/listen/history?limit=40&include=all');
  let at = 0;
  await note(
    'deleting one listen, and the year again',
    async () => {
      await call(years.token, `/listen/history/${items[at++]!.id}`, 'DELETE');
      return call(years.token, year);
    },
    undefined,
    30,
  );
  print({ name: 'stats: loop delay p99 beside years', value: duringStats.p99, unit: 'ms', must: 50 });
  print({ name: 'stats: loop delay p99 beside other statistics', value: duringOthers.p99, unit: 'ms', must: 50 });
  print({ name: 'stats: loop delay p99 beside history', value: duringHistory.p99, unit: 'ms', must: 50 });
  console.log(
    `  longest: ${[duringStats, duringOthers, duringHistory].map(({ max }) => max.toFixed(1)).join(', ')} ms`,
  );
}
