import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { CompleteListen, ReportProgress, StartListen } from '#contract/listens.ts';
import { history } from '#domain/listens/history.queries.ts';
import { explainSession } from '#domain/listens/listens.queries.ts';
import { completeListen, reportProgress } from '#domain/listens/report-progress.ts';
import { startListen } from '#domain/listens/start-listen.ts';
import { submitBatch } from '#domain/listens/submit-batch.ts';
import { createPlaybacks } from '#domain/listens/playbacks.ts';
import { person, testCtx } from '../../support/ctx.ts';
import { DIALECTS } from '../../support/dialects.ts';
import { putTracks } from '../../support/room.ts';
import type { Actor } from '#domain/context.ts';
import type { TestCtx } from '../../support/ctx.ts';
import type { TestDatabase } from '../../support/dialects.ts';
import type { BatchEvent } from '#domain/listens/submit-batch.ts';

describe.each(DIALECTS)('listening on $name', (dialect) => {
  let database: TestDatabase;
  let ctx: TestCtx;
  let ana: Actor;
  let ben: Actor;
  let guest: Actor;
  let track_id: string;
  beforeAll(async () => {
    database = await dialect.open();
  });
  afterAll(() => database.close());
  beforeEach(async () => {
    await database.close();
    database = await dialect.open();
    ctx = testCtx(database);
    [ana, ben, guest] = [
      await person(ctx, 'ana'),
      await person(ctx, 'ben'),
      await person(ctx, 'guest', { role: 'guest' }),
    ];
    [track_id] = (await putTracks(ctx, 1)) as [string];
  });

  const rows = () => database.db.selectFrom('listening_sessions').selectAll().orderBy('id').execute();
  const start = (more: Record<string, unknown> = {}, who = ana) =>
    startListen(ctx, who, StartListen.parse({ track_id, source: 'api', ...more }));
  const says = (session_id: string, seq: number, position_ms: number, more: Record<string, unknown> = {}, who = ana) =>
    reportProgress(ctx, who, ReportProgress.parse({ session_id, seq, position_ms, state: 'playing', ...more }));
  const code = (promise: Promise<unknown>) =>
    promise.then(
      () => 'taken',
      (error: { code?: string }) => error.code,
    );

  test('[LP2] the same start twice, or ten times at once, is one session', async () => {
    const client_session_id = crypto.randomUUID();
    const first = await start({ client_session_id });
    expect(await start({ client_session_id })).toEqual(first);
    const other = crypto.randomUUID();
    const many = await Promise.all(Array.from({ length: 10 }, () => start({ client_session_id: other })));
    expect(new Set(many.map((one) => one.session_id)).size).toBe(1);
    expect(await rows()).toHaveLength(2);
    // Another person's client may have had the same idea.
    expect((await start({ client_session_id }, ben)).session_id).not.toBe(first.session_id);
    expect((await start()).session_id).not.toBe((await start()).session_id);
    expect(ctx.happened.filter((event) => event.name === 'listen.progressed')).toHaveLength(5);
  });

  test('[LP10] a track is named by its id or by its exact path, and is looked up only', async () => {
    expect(await code(start({ track_id: undefined, track_path: `${track_id}.flac` }))).toBe('taken');
    for (const track_path of [
      `${track_id}.FLAC`,
      `../${track_id}.flac`,
      `/music/${track_id}.flac`,
      '%',
      '_',
      '\u0000',
      `${track_id}.flac\u0000`,
    ]) {
      expect([track_path, await code(start({ track_id: undefined, track_path }))]).toEqual([track_path, 'not_found']);
    }
    expect(await code(start({ track_id: ctx.ids.id() }))).toBe('not_found');
    expect(StartListen.safeParse({ source: 'api' }).success).toBe(false);
    expect(StartListen.safeParse({ source: 'api', track_id, track_path: 'x' }).success).toBe(false);
    await ctx.write((trx) => trx.updateTable('tracks').set({ missing_since: 5 }).where('id', '=', track_id).execute());
    expect(await code(start())).toBe('taken');
  });

  test('[LP2] another person’s session is not there', async () => {
    const client_session_id = crypto.randomUUID();
    const { session_id } = await start({ client_session_id });
    for (const id of [session_id, client_session_id, ctx.ids.id()]) {
      expect(await code(says(id, 1, 10, {}, ben))).toBe('not_found');
      expect(await code(completeListen(ctx, ben, { session_id: id, seq: 1, position_ms: 1 }))).toBe('not_found');
      expect(await code(explainSession(ctx, ben, { session_id: id }))).toBe('not_found');
    }
    expect((await rows())[0]).toMatchObject({ last_seq: -1, state: 'playing' });
    expect((await history(ctx, ben, { include: 'listens', limit: 50, cursor: undefined })).items).toEqual([]);
    ctx.clock.advance(1_000);
    expect((await says(client_session_id, 1, 1_000)).session_id).toBe(session_id);
    expect((await explainSession(ctx, ana, { session_id: client_session_id })).spans).toEqual([
      { from_ms: 0, to_ms: 1_000 },
    ]);
  });

  test('[LP5] the future is refused, and leaves nothing', async () => {
    const ahead = { occurred_at_ms: ctx.clock.nowMs() + 600_001 };
    expect(await code(start(ahead))).toBe('unprocessable');
    expect(await rows()).toEqual([]);
    const { session_id } = await start();
    expect(await code(says(session_id, 1, 1, ahead))).toBe('unprocessable');
    expect(await code(completeListen(ctx, ana, { session_id, seq: 1, position_ms: 1, ...ahead }))).toBe(
      'unprocessable',
    );
    expect((await rows())[0]?.last_seq).toBe(-1);
    const wild = { occurred_at_ms: Number.MAX_SAFE_INTEGER, sent_at_ms: Number.MAX_SAFE_INTEGER };
    expect(await code(says(session_id, 1, 1, wild))).toBe('taken');
    expect(
      await code(
        says(session_id, 2, 1, { occurred_at_ms: -Number.MAX_SAFE_INTEGER, sent_at_ms: Number.MAX_SAFE_INTEGER }),
      ),
    ).toBe('taken');
    expect(await code(start({ occurred_at_ms: -Number.MAX_SAFE_INTEGER }))).toBe('taken');
  });

  test('[LP8] a guest’s reports are accepted, stored nowhere and shown to nobody', async () => {
    const client_session_id = crypto.randomUUID();
    expect((await start({ client_session_id }, guest)).session_id).toBe(client_session_id);
    const { session_id } = await start({}, guest);
    expect(await says(session_id, 1, 5, {}, guest)).toMatchObject({ session_id, seq: 1, counted: false });
    expect(await completeListen(ctx, guest, { session_id, seq: 2, position_ms: 5 })).toMatchObject({ counted: false });
    expect(await rows()).toEqual([]);
    expect(ctx.happened).toEqual([]);
  });

  test('[LP3] after the end, and for an old seq, reports are acknowledged and change nothing', async () => {
    const { session_id } = await start();
    ctx.clock.advance(20_000);
    await says(session_id, 5, 20_000);
    ctx.clock.advance(20_000);
    await says(session_id, 5, 40_000);
    await says(session_id, 3, 40_000);
    expect((await rows())[0]).toMatchObject({ last_seq: 5, position_ms: 20_000, duration_played: 20 });
    const done = await completeListen(ctx, ana, { session_id, seq: 6, position_ms: 40_000 });
    expect(done).toMatchObject({ seq: 6, duration_played: 40, completed: false });
    const ended = await rows();
    expect(ended[0]).toMatchObject({ state: 'stopped', ended_at: Math.floor(ctx.clock.nowMs() / 1000) });
    ctx.happened.length = 0;
    ctx.clock.advance(60_000);
    expect(await says(session_id, 9, 100_000)).toEqual(done);
    expect(await completeListen(ctx, ana, { session_id, seq: 10, position_ms: 100_000 })).toEqual(done);
    expect(await rows()).toEqual(ended);
    expect(ctx.happened).toEqual([]);
  });

  test('[LP7] it counts once half was heard, and is told once; completed after 80 %', async () => {
    const { session_id } = await start();
    const steps: [number, boolean, boolean][] = [];
    for (let i = 1; i <= 10; i++) {
      ctx.clock.advance(10_000);
      const { counted, completed } = await says(session_id, i, i * 10_000);
      steps.push([i * 10, counted, completed]);
    }
    expect(steps).toEqual([
      [10, false, false],
      [20, false, false],
      [30, false, false],
      [40, false, false],
      [50, true, false],
      [60, true, false],
      [70, true, false],
      [80, true, false],
      [90, true, true],
      [100, true, true],
    ]);
    expect(ctx.happened.filter((event) => event.name === 'listen.recorded')).toHaveLength(1);
    expect((await history(ctx, ana, { include: 'listens', limit: 50, cursor: undefined })).items).toMatchObject([
      { session_id, completed: true, track: { id: track_id } },
    ]);
    expect(await explainSession(ctx, ana, { session_id })).toMatchObject({
      counted: true,
      completed: true,
      duration_played: 100,
    });
  });

  test('[LP7] of a track of unknown length nothing counts, and nothing breaks', async () => {
    const [endless] = (await putTracks(ctx, 1, { duration: null })) as [string];
    const { session_id } = await start({ track_id: endless });
    ctx.clock.advance(600_000);
    expect(await says(session_id, 1, 600_000)).toMatchObject({
      counted: false,
      completed: false,
      duration_played: 600,
    });
    expect((await explainSession(ctx, ana, { session_id })).why).toContain('not known');
  });

  test('[LP11] history is paged without a gap or a double, while new listens come', async () => {
    for (let i = 0; i < 25; i++) {
      // Several begin within one second.
      if (i % 3 === 0) ctx.clock.advance(1_000);
      await start();
    }
    await ctx.write((trx) => trx.updateTable('listening_sessions').set({ counted: 1 }).execute());
    const seen: string[] = [];
    let cursor: string | undefined;
    const times: number[] = [];
    do {
      const page = await history(ctx, ana, { include: 'listens', limit: 4, cursor });
      seen.push(...page.items.map((item) => item.id));
      times.push(...page.items.map((item) => item.started_at));
      cursor = page.next_cursor ?? undefined;
      ctx.clock.advance(1_000);
      await start();
      await ctx.write((trx) => trx.updateTable('listening_sessions').set({ counted: 1 }).execute());
    } while (cursor !== undefined);
    expect(seen).toHaveLength(25);
    expect(new Set(seen).size).toBe(25);
    expect(times).toEqual([...times].sort((a, b) => b - a));
  });

  test('[LP12] however long a batch takes to be looked at, its times are as far apart as they were', async () => {
    const client_session_id = crypto.randomUUID();
    const sentMs = ctx.clock.nowMs();
    const at = (ms: number) => ({ occurred_at_ms: sentMs - 300_000 + ms, sent_at_ms: sentMs });
    const events: BatchEvent[] = [
      { event: 'listen:start', input: StartListen.parse({ track_id, source: 'mobile', client_session_id, ...at(0) }) },
      {
        event: 'listen:progress',
        input: ReportProgress.parse({
          session_id: client_session_id,
          seq: 1,
          position_ms: 25_000,
          state: 'playing',
          ...at(25_000),
        }),
      },
      {
        event: 'listen:complete',
        input: CompleteListen.parse({ session_id: client_session_id, seq: 2, position_ms: 40_000, ...at(40_000) }),
      },
    ];
    // Each look at the clock finds it 11 ms later.
    const running = { ...ctx, clock: { nowMs: () => (ctx.clock.advance(11), ctx.clock.nowMs()) } };
    await submitBatch(running, ana, events);
    const row = await ctx.db
      .selectFrom('listening_sessions')
      .select(['duration_played', 'wall_json'])
      .where('client_session_id', '=', client_session_id)
      .executeTakeFirstOrThrow();
    expect(row.duration_played).toBe(40);
    const [[from, to] = [0, 0]] = JSON.parse(row.wall_json) as [number, number][];
    expect(to - from).toBe(40_000);
  });

  test('[LP12] a batch is taken in order, one result each; sent again it changes nothing and answers the same', async () => {
    const client_session_id = crypto.randomUUID();
    const now = ctx.clock.nowMs();
    const at = (ms: number) => ({ occurred_at_ms: now - 300_000 + ms, sent_at_ms: now });
    const progress = (seq: number, ms: number): BatchEvent => ({
      event: 'listen:progress',
      input: ReportProgress.parse({
        session_id: client_session_id,
        seq,
        position_ms: ms,
        state: 'playing',
        ...at(ms),
      }),
    });
    const events: (BatchEvent | Error)[] = [
      {
        event: 'listen:start',
        input: StartListen.parse({ track_id, source: 'mobile', client_session_id, ...at(0) }),
      },
      ...Array.from({ length: 20 }, (_, i) => progress(i + 1, (i + 1) * 5_000)),
      new Error('was none'),
      progress(99, 101_000),
      { event: 'listen:complete', input: CompleteListen.parse({ session_id: 'A'.repeat(22), seq: 1, position_ms: 1 }) },
      {
        event: 'listen:complete',
        input: CompleteListen.parse({ session_id: client_session_id, seq: 100, position_ms: 105_000, ...at(105_000) }),
      },
    ];
    const first = await submitBatch(ctx, ana, events);
    expect(first.map((one) => one.status)).toEqual([
      ...Array<string>(21).fill('fulfilled'),
      'rejected',
      'fulfilled',
      'rejected',
      'fulfilled',
    ]);
    const [row] = await rows();
    expect(row).toMatchObject({ duration_played: 100, last_seq: 100, state: 'stopped', client_session_id });
    ctx.clock.advance(7 * 24 * 3_600_000);
    const again = await submitBatch(ctx, ana, events);
    expect(again.map((one) => one.status)).toEqual(first.map((one) => one.status));
    expect(again[0]).toEqual(first[0]);
    expect(again.at(-1)).toEqual(first.at(-1));
    expect(await rows()).toEqual([row]);
  });

  test('[LP13] two processes that report on one session lose and double nothing', async () => {
    const elsewhere: TestCtx = { ...ctx, playbacks: createPlaybacks() };
    const { session_id } = await start();
    await Promise.all(
      Array.from({ length: 40 }, async (_, i) => {
        const input = ReportProgress.parse({ session_id, seq: i, position_ms: i, state: 'paused' });
        await reportProgress(i % 2 === 0 ? ctx : elsewhere, ana, input);
      }),
    );
    expect(await rows()).toMatchObject([{ last_seq: 39 }]);
  });

  test('[LP3] reports at once, in any order, end as the highest seq', async () => {
    const { session_id } = await start();
    ctx.clock.advance(60_000);
    await Promise.all([7, 2, 9, 1, 8, 3].map((seq) => says(session_id, seq, seq * 1_000)));
    expect((await rows())[0]).toMatchObject({ last_seq: 9, position_ms: 9_000 });
  });

  const staleDays = () => database.db.selectFrom('stale_days').selectAll().execute();
  const settleDays = () => ctx.write((trx) => trx.deleteFrom('stale_days').execute());
  /** `ms` after the session began at `startMs`, by a client whose clock is wrong by `errorMs`. */
  const dated = (startMs: number, ms: number, errorMs = 0) => ({
    occurred_at_ms: startMs + ms + errorMs,
    sent_at_ms: ctx.clock.nowMs() + errorMs,
  });

  test('[LP15] a late report is fitted in, by whichever process, before and after the end; an old one without a time is not', async () => {
    const startMs = ctx.clock.nowMs();
    const { session_id } = await start();
    ctx.clock.advance(60_000);
    await says(session_id, 1, 10_000, dated(startMs, 10_000));
    const twenty = await says(session_id, 9, 30_000, dated(startMs, 60_000));
    expect(twenty).toMatchObject({ seq: 9, duration_played: 30 });
    ctx.happened.length = 0;
    // It was paused at 12 s, and went on from there.
    const late = await says(session_id, 5, 12_000, { state: 'paused', ...dated(startMs, 12_000) });
    expect(late).toMatchObject({ seq: 9, duration_played: 12 });
    // Nobody is shown an old place as the present one.
    expect(ctx.happened).toEqual([]);
    ctx.playbacks = createPlaybacks();
    expect(await says(session_id, 6, 12_000, dated(startMs, 42_000))).toMatchObject({ seq: 9, duration_played: 30 });
    await completeListen(ctx, ana, { session_id, seq: 12, position_ms: 30_000 });
    ctx.playbacks = createPlaybacks();
    const [ended] = await rows();
    expect(await says(session_id, 8, 0)).toMatchObject({ seq: 12, duration_played: 30 });
    expect(await rows()).toEqual([ended]);
    const fitted = await says(session_id, 7, 14_000, { state: 'paused', ...dated(startMs, 44_000) });
    expect(fitted).toMatchObject({ seq: 12, duration_played: 14 });
    expect(await rows()).toMatchObject([
      {
        last_seq: 12,
        state: 'stopped',
        wall_json: JSON.stringify([
          [startMs, startMs + 12_000],
          [startMs + 42_000, startMs + 44_000],
        ]),
      },
    ]);
  });

  test('[LP18] a session left before it counted is a skip, until a late report makes it count; one that counted may cease to', async () => {
    const startMs = ctx.clock.nowMs();
    const { session_id } = await start();
    ctx.clock.advance(100_000);
    const end = { session_id, seq: 9, position_ms: 5_000, ...dated(startMs, 70_000) };
    await completeListen(ctx, ana, CompleteListen.parse(end));
    expect(await rows()).toMatchObject([{ skipped: 1, counted: 0, state: 'stopped' }]);
    expect(await explainSession(ctx, ana, { session_id })).toMatchObject({ skipped: true, counted: false });
    // It had been at 65 s before it went back to its beginning.
    expect(await says(session_id, 4, 65_000, dated(startMs, 65_000))).toMatchObject({ counted: true });
    expect(await rows()).toMatchObject([{ skipped: 0, counted: 1 }]);
    expect(ctx.happened.filter((event) => event.name === 'listen.recorded')).toHaveLength(1);
    // It had got there by seeking, as it turns out.
    expect(await says(session_id, 2, 60_000, dated(startMs, 1_000))).toMatchObject({ counted: false });
    expect(await rows()).toMatchObject([{ skipped: 1, counted: 0 }]);
    expect((await history(ctx, ana, { include: 'listens', limit: 50, cursor: undefined })).items).toEqual([]);
  });

  test('[LP20] a day is stale again when a session that may be settled changes, and not for every report', async () => {
    const startMs = ctx.clock.nowMs();
    const { session_id } = await start();
    expect(await staleDays()).toMatchObject([{ user_id: ana.user_id }]);
    await settleDays();
    ctx.clock.advance(10_000);
    await says(session_id, 3, 10_000);
    ctx.playbacks = createPlaybacks();
    await says(session_id, 4, 10_000, { state: 'paused' });
    expect(await staleDays()).toEqual([]);
    ctx.clock.advance(12 * 3_600_000 + 1);
    await says(session_id, 5, 10_000);
    expect(await staleDays()).toHaveLength(1);
    await settleDays();
    await completeListen(ctx, ana, { session_id, seq: 6, position_ms: 10_000 });
    expect(await staleDays()).toEqual([]);
    // What changes nothing marks nothing …
    await says(session_id, 7, 20_000);
    expect(await staleDays()).toEqual([]);
    // … and what does marks the day the session belongs to.
    await says(session_id, 1, 4_000, dated(startMs, 4_000));
    const [row] = await rows();
    expect(await staleDays()).toMatchObject([{ user_id: ana.user_id, local_day: row?.local_day }]);
  });

  const YEARS_MS = 10 * 365 * 86_400_000;
  test.each<[string, (nowMs: number) => Record<string, unknown>, number | 'unprocessable' | 'invalid']>([
    ['nothing', () => ({}), 0],
    ['ten years ago', (now) => ({ occurred_at_ms: now - YEARS_MS }), -YEARS_MS],
    ['ten years ago, and sent then', (now) => ({ occurred_at_ms: now - YEARS_MS, sent_at_ms: now - YEARS_MS }), 0],
    ['ten years ahead', (now) => ({ occurred_at_ms: now + YEARS_MS }), 'unprocessable'],
    [
      'ten years ahead, and sent then',
      (now) => ({ occurred_at_ms: now + YEARS_MS - 5_000, sent_at_ms: now + YEARS_MS }),
      -5_000,
    ],
    [
      'ten years ahead of its own sending',
      (now) => ({ occurred_at_ms: now + YEARS_MS, sent_at_ms: now }),
      'unprocessable',
    ],
    ['seconds for milliseconds', (now) => ({ occurred_at_ms: Math.floor(now / 1000) }), -1],
    [
      'seconds for milliseconds, both',
      (now) => ({ occurred_at_ms: Math.floor(now / 1000) - 5, sent_at_ms: Math.floor(now / 1000) }),
      -5,
    ],
    [
      'sent in seconds, happened in milliseconds',
      (now) => ({ occurred_at_ms: now, sent_at_ms: Math.floor(now / 1000) }),
      'unprocessable',
    ],
    ['ten minutes ahead', (now) => ({ occurred_at_ms: now + 600_000 }), 0],
    ['more than ten minutes ahead', (now) => ({ occurred_at_ms: now + 600_001 }), 'unprocessable'],
    ['before all time', () => ({ occurred_at_ms: -5 }), -1],
    ['no number', () => ({ occurred_at_ms: Number.NaN }), 'invalid'],
    ['endless', () => ({ occurred_at_ms: Number.POSITIVE_INFINITY }), 'invalid'],
    ['a fraction', (now) => ({ occurred_at_ms: now - 0.5 }), 'invalid'],
    ['sent as no number', (now) => ({ occurred_at_ms: now, sent_at_ms: Number.NaN }), 'invalid'],
    ['sent as a fraction', (now) => ({ occurred_at_ms: now, sent_at_ms: now + 0.25 }), 'invalid'],
    ['text', (now) => ({ occurred_at_ms: String(now) }), 'invalid'],
  ])('[LP5] a client that says its time is %s', async (_name, said, expected) => {
    const startMs = ctx.clock.nowMs();
    const { session_id } = await start();
    ctx.clock.advance(60_000);
    const now = ctx.clock.nowMs();
    const input = { session_id, seq: 1, position_ms: 60_000, state: 'playing', ...said(now) };
    const parsed = ReportProgress.safeParse(input);
    const outcome = parsed.success ? await code(reportProgress(ctx, ana, parsed.data)) : 'invalid';
    if (typeof expected === 'string') {
      expect(outcome).toBe(expected);
      expect(await rows()).toMatchObject([{ last_seq: -1, revision: 0 }]);
      return;
    }
    expect(outcome).toBe('taken');
    // Time does not go back: what is said to have happened before the start happened as it began.
    const atMs = Math.max(startMs, now + expected);
    const [row] = await rows();
    expect(row).toMatchObject({ last_seq: 1, reported_at_ms: expected === -1 ? startMs : atMs });
    expect(row?.duration_played).toBeLessThanOrEqual(60);
    expect(await code(start(said(now)))).toBe('taken');
  });

  test('[LP21] durations never fall when the server’s clock steps back an hour, nor leap when it steps ahead', async () => {
    const { session_id } = await start();
    const durations: number[] = [];
    const report = async (seq: number, position_ms: number) => {
      durations.push((await says(session_id, seq, position_ms)).duration_played);
    };
    ctx.clock.advance(10_000);
    await report(1, 10_000);
    ctx.clock.advance(-3_600_000);
    await report(2, 15_000);
    ctx.clock.advance(10_000);
    await report(3, 25_000);
    ctx.clock.advance(2 * 3_600_000);
    await report(4, 35_000);
    ctx.clock.advance(10_000);
    await report(5, 45_000);
    expect(durations).toEqual([10, 10, 10, 20, 30]);
    // An ended one stays ended.
    await completeListen(ctx, ana, { session_id, seq: 6, position_ms: 45_000 });
    ctx.clock.advance(-3_600_000);
    ctx.playbacks = createPlaybacks();
    expect(await says(session_id, 7, 50_000)).toMatchObject({ seq: 6, duration_played: 30 });
    expect(await rows()).toMatchObject([{ state: 'stopped', last_seq: 6 }]);
  });

  test('[LP22] a thousand reports in a minute are a minute of listening; replayed, they are nothing more', async () => {
    const startMs = ctx.clock.nowMs();
    const { session_id } = await start();
    ctx.clock.advance(60_000);
    const reports = Array.from({ length: 1_000 }, (_, i) => [i, (i + 1) * 60] as const);
    await Promise.all(reports.map(([seq, ms]) => says(session_id, seq, ms * 4, { rate: 4, ...dated(startMs, ms) })));
    const [row] = await rows();
    expect(row).toMatchObject({ last_seq: 999 });
    expect(row?.duration_played).toBeLessThanOrEqual(60);
    // Written together, not one by one.
    expect(row?.revision).toBeLessThan(1_000);
    const [replayed] = await Promise.all(
      reports.map(([seq, ms]) => says(session_id, seq, ms * 4, { rate: 4, ...dated(startMs, ms) })),
    );
    expect(replayed).toMatchObject({ seq: 999, duration_played: row?.duration_played });
    expect(await rows()).toEqual([row]);
  });

  test('[LP23] what is reported before a write’s turn comes is one write, and followers are shown the last of it', async () => {
    const { session_id } = await start();
    ctx.clock.advance(60_000);
    ctx.happened.length = 0;
    const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => says(session_id, i, 59_981 + i)));
    expect(answers.map((one) => one.seq)).toEqual(answers.map((_, i) => i));
    expect(await rows()).toMatchObject([{ last_seq: 19, revision: 1, counted: 1 }]);
    expect(ctx.happened).toMatchObject([
      { name: 'listen.progressed', payload: { position_ms: 60_000 } },
      { name: 'listen.recorded', payload: { session_id } },
    ]);
  });

  test('[LP22] sessions at once are devices: each covers no more than its time, and each may count', async () => {
    const startMs = ctx.clock.nowMs();
    const sessions = await Promise.all(Array.from({ length: 20 }, () => start()));
    ctx.clock.advance(60_000);
    const taken = await Promise.all(
      // Half of them claim to have heard all of it.
      sessions.map(({ session_id }, i) => says(session_id, 1, i % 2 === 0 ? 60_000 : 100_000)),
    );
    expect(taken.map((one) => one.counted)).toEqual(sessions.map((_, i) => i % 2 === 0));
    expect(taken.map((one) => one.duration_played)).toEqual(sessions.map((_, i) => (i % 2 === 0 ? 60 : 0)));
    // They share one minute of their listener's life.
    const walls = (await rows()).flatMap((row) => JSON.parse(row.wall_json) as [number, number][]);
    expect(new Set(walls.map(String))).toEqual(new Set([`${startMs},${startMs + 60_000}`]));
  });

  test('[LP19] a session says why, also for music another program reported', async () => {
    const { session_id } = await start();
    ctx.clock.advance(10_000);
    await says(session_id, 1, 10_000);
    ctx.clock.advance(30_000);
    await says(session_id, 2, 80_000);
    expect(await explainSession(ctx, ana, { session_id })).toMatchObject({
      counted: false,
      reason: 'heard_too_little',
      why:
        'It does not count: only 10 s of the track heard, 50 s needed, 40 s missing. ' +
        'Paused or standing still, not counted: 30 s.',
      heard_at: [{ to_ms: ctx.clock.nowMs() - 30_000 }],
    });
    await ctx.write((trx) =>
      trx.updateTable('listening_sessions').set({ external_key: 'x', counted: 1, spans_json: '[]' }).execute(),
    );
    expect(await explainSession(ctx, ana, { session_id })).toMatchObject({
      counted: true,
      reason: 'as_reported',
      needed_ms: null,
    });
  });
});
