import { describe, expect, it } from 'vitest';
import { ReportQueue, nextBatch } from '../../../client/src/features/listens/report-queue.ts';
import type { Report, SendResult } from '../../../client/src/features/listens/report-queue.ts';

const report = (seq: number): Report => ({
  id: `r${seq}`,
  name: 'listen:progress',
  payload: { session_id: 's'.repeat(22), seq, position_ms: seq * 5000, state: 'playing', occurred_at_ms: seq },
});

/** A queue whose sending is answered by hand, and whose waiting never takes real time. */
async function bench(kept: Report[] = [], { failsToKeep = false } = {}) {
  const sent: string[][] = [];
  const refused: string[] = [];
  const unkept: unknown[] = [];
  const answers: ((results: SendResult[]) => void)[] = [];
  const delays: { ms: number; done: () => void }[] = [];
  let stored = [...kept];
  let shown = -1;
  const fail = async () => {
    if (failsToKeep) throw new Error('no room');
  };
  const queue = new ReportQueue({
    send: (reports) => {
      sent.push(reports.map((one) => one.id));
      return new Promise((resolve) => answers.push(resolve));
    },
    store: {
      read: async () => {
        await fail();
        return [...stored];
      },
      add: async (one) => {
        await fail();
        stored.push(one);
      },
      remove: async (ids) => {
        await fail();
        stored = stored.filter((one) => !ids.includes(one.id));
      },
    },
    delay: (ms) => new Promise((resolve) => delays.push({ ms, done: resolve })),
    onchange: () => (shown = queue.waiting),
    onrefused: (one, why) => refused.push(`${one.id}: ${why}`),
    onunkept: (error) => unkept.push(error),
  });
  const settle = async () => {
    for (let i = 0; i < 20; i++) await Promise.resolve();
  };
  await settle();
  return {
    queue,
    sent,
    refused,
    unkept,
    delays,
    settle,
    stored: () => stored.map((one) => one.id),
    shown: () => shown,
    answer: async (...results: SendResult[]) => {
      answers.shift()?.(results);
      await settle();
    },
  };
}
const SENT: SendResult = { kind: 'sent' };

describe('report queue', () => {
  it('keeps reports until the line is there, then sends them together, in order', async () => {
    const b = await bench();
    b.queue.add(report(1));
    b.queue.add(report(2));
    await b.settle();
    expect(b.sent).toEqual([]);
    expect(b.shown()).toBe(2);
    expect(b.stored()).toEqual(['r1', 'r2']);
    b.queue.resume();
    await b.settle();
    expect(b.sent).toEqual([['r1', 'r2']]);
    await b.answer(SENT, SENT);
    expect(b.shown()).toBe(0);
    expect(b.stored()).toEqual([]);
  });

  it('holds a report until it is acknowledged, and sends it again after a break', async () => {
    const b = await bench();
    b.queue.resume();
    b.queue.add(report(1));
    b.queue.add(report(2));
    await b.settle();
    b.queue.pause();
    await b.answer({ kind: 'later', after_ms: 2000 });
    expect(b.stored()).toEqual(['r1', 'r2']);
    b.queue.resume();
    await b.settle();
    expect(b.sent).toEqual([['r1'], ['r1', 'r2']]);
    await b.answer(SENT, SENT);
    expect(b.stored()).toEqual([]);
  });

  it('of a batch, what comes after a report that has to wait is sent again with it', async () => {
    const b = await bench([report(1), report(2), report(3)]);
    b.queue.resume();
    await b.settle();
    await b.answer(SENT, { kind: 'later', after_ms: 7000 }, SENT);
    expect(b.stored()).toEqual(['r2', 'r3']);
    expect(b.delays.map((one) => one.ms)).toEqual([7000]);
    b.queue.add(report(4));
    await b.settle();
    expect(b.sent).toHaveLength(1);
    b.delays[0]?.done();
    await b.settle();
    expect(b.sent[1]).toEqual(['r2', 'r3', 'r4']);
  });

  it('drops a report that is refused for good, says so, and goes on', async () => {
    const b = await bench([report(1), report(2)]);
    b.queue.resume();
    await b.settle();
    await b.answer({ kind: 'refused', why: 'makes no sense' }, SENT);
    expect(b.refused).toEqual(['r1: makes no sense']);
    expect(b.shown()).toBe(0);
  });

  it('takes up what an earlier visit left, before anything new', async () => {
    const b = await bench([report(1), report(2)]);
    expect(b.shown()).toBe(2);
    b.queue.add(report(3));
    b.queue.resume();
    await b.settle();
    expect(b.sent).toEqual([['r1', 'r2', 'r3']]);
  });

  it('a line that comes back cuts a wait short', async () => {
    const b = await bench([report(1)]);
    b.queue.resume();
    await b.settle();
    await b.answer({ kind: 'later', after_ms: 60_000 });
    b.queue.pause();
    b.queue.resume();
    await b.settle();
    expect(b.sent).toEqual([['r1'], ['r1']]);
  });

  it('says that nothing can be kept, and still sends', async () => {
    const b = await bench([], { failsToKeep: true });
    b.queue.resume();
    b.queue.add(report(1));
    await b.settle();
    expect(b.sent).toEqual([['r1']]);
    await b.answer(SENT);
    expect(b.queue.waiting).toBe(0);
    expect(b.unkept.length).toBeGreaterThan(0);
  });

  it('a batch holds at most 100 reports and 40 KiB, and never none', () => {
    expect(nextBatch(Array.from({ length: 250 }, (_, i) => report(i)))).toHaveLength(100);
    const large = (id: string): Report => ({
      id,
      name: 'listen:start',
      payload: { track_id: 't'.repeat(22), source: 'web', client_info: { note: 'x'.repeat(30_000) } },
    });
    expect(nextBatch([large('a'), large('b')])).toHaveLength(1);
  });
});
