import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CompleteListen, ReportProgress, StartListen } from '#contract/listens.ts';
import { KEPT_REPORTS, begin, judgeListen, isCompleted, isSkip, take } from '#domain/listens/listens.rules.ts';
import { createPlaybacks } from '#domain/listens/playbacks.ts';
import { completeListen, reportProgress } from '#domain/listens/report-progress.ts';
import { startListen } from '#domain/listens/start-listen.ts';
import { submitBatch } from '#domain/listens/submit-batch.ts';
import { person, testCtx } from '../support/ctx.ts';
import { DIALECTS } from '../support/dialects.ts';
import { honestReports, inOtherOrder } from '../support/reports.ts';
import { putTracks } from '../support/room.ts';
import type { Report } from '#domain/listens/listens.rules.ts';
import type { BatchEvent } from '#domain/listens/submit-batch.ts';
import type { TestDatabase } from '../support/dialects.ts';

/** How a run of reports goes in: one after another, all at once, or as a batch; and whether the process forgets before. */
interface Part {
  size: number;
  door: 'one by one' | 'at once' | 'batch';
  forgets: boolean;
}

const parts: fc.Arbitrary<Part[]> = fc.array(
  fc.record({
    size: fc.integer({ min: 1, max: 12 }),
    door: fc.constantFrom<Part['door'][]>('one by one', 'at once', 'batch'),
    forgets: fc.boolean(),
  }),
  { minLength: 1, maxLength: 12 },
);

describe.each(DIALECTS)('reports in any order, on $name', (dialect) => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await dialect.open();
  });
  afterAll(() => database.close());

  const RUNS = dialect.name === 'sqlite' ? 60 : 15;

  test(
    `[LP16] by any door, in any split, with a process that forgets in between: the same session, ${RUNS} times`,
    { timeout: 60_000 },
    async () => {
      const ctx = testCtx(database);
      const ana = await person(ctx, 'ana');
      const DURATION_S = 200;
      const [track_id] = (await putTracks(ctx, 1, { duration: DURATION_S })) as [string];
      const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);
      console.log(`seed ${seed}`);

      const run = async (
        order: readonly Report[],
        startMs: number,
        errorMs: number,
        split: readonly Part[],
      ): Promise<void> => {
        ctx.clock.set(startMs);
        const client_session_id = crypto.randomUUID();
        await startListen(ctx, ana, StartListen.parse({ track_id, source: 'mobile', client_session_id }));
        ctx.clock.advance(7 * 86_400_000);
        const sent_at_ms = ctx.clock.nowMs() + errorMs;
        const toEvent = ({ seq, position_ms, state, rate, occurred_at_ms }: Report): BatchEvent => {
          const input = {
            session_id: client_session_id,
            seq,
            position_ms,
            occurred_at_ms: occurred_at_ms + errorMs,
            sent_at_ms,
          };
          return state === 'stopped'
            ? { event: 'listen:complete', input: CompleteListen.parse(input) }
            : { event: 'listen:progress', input: ReportProgress.parse({ ...input, state, rate }) };
        };
        const send = (event: BatchEvent): Promise<unknown> => {
          if (event.event === 'listen:complete') return completeListen(ctx, ana, event.input);
          if (event.event === 'listen:progress') return reportProgress(ctx, ana, event.input);
          throw new Error('no such report');
        };
        let left = order.map(toEvent);
        for (let i = 0; left.length > 0; i++) {
          const { size, door, forgets } = split[i % split.length] as Part;
          const sending = left.slice(0, size);
          left = left.slice(size);
          if (forgets) ctx.playbacks = createPlaybacks();
          if (door === 'batch') {
            const results = await submitBatch(ctx, ana, sending);
            expect(results.every((one) => one.status === 'fulfilled')).toBe(true);
          } else if (door === 'at once') await Promise.all(sending.map(send));
          else for (const event of sending) await send(event);
        }
        const row = await database.db
          .selectFrom('listening_sessions')
          .selectAll()
          .where('client_session_id', '=', client_session_id)
          .executeTakeFirstOrThrow();
        const durationMs = DURATION_S * 1000;
        // `complete` names no rate: where it ended there is none.
        const canonical = [...order]
          .sort((a, b) => a.seq - b.seq)
          .map((one) => (one.state === 'stopped' ? { ...one, rate: 1 } : one))
          .reduce((playback, one) => take(playback, one, durationMs), begin(0, startMs));
        const { heard } = canonical;
        const { counted } = judgeListen(heard.spans, durationMs);
        expect({
          spans: JSON.parse(row.spans_json) as unknown,
          wall: JSON.parse(row.wall_json) as unknown,
          last_seq: row.last_seq,
          state: row.state,
          duration_played: row.duration_played,
          counted: row.counted,
          completed: row.completed,
          skipped: row.skipped,
        }).toEqual({
          spans: heard.spans,
          wall: heard.wall,
          last_seq: heard.last_seq,
          state: heard.state,
          duration_played: heard.played_ms / 1000,
          counted: Number(counted),
          completed: Number(isCompleted(heard.spans, durationMs)),
          skipped: Number(isSkip(heard, counted, durationMs)),
        });
      };

      const startMs = ctx.clock.nowMs();
      await fc.assert(
        fc.asyncProperty(
          honestReports(startMs, DURATION_S * 1000).chain((reports) => inOtherOrder(reports, KEPT_REPORTS)),
          fc.constantFrom(0, 1, -3_600_000, 10 * 365 * 86_400_000),
          parts,
          (order, errorMs, split) => run(order, startMs, errorMs, split),
        ),
        { numRuns: RUNS, seed },
      );
    },
  );
});
