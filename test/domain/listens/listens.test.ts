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
});
