import { describe, expect, it } from 'vitest';
import { ReportQueue } from '../../../client/src/features/listens/report-queue.ts';
import type { Report, SendResult } from '../../../client/src/features/listens/report-queue.ts';

const report = (seq: number): Report => ({
  id: `r${seq}`,
  name: 'listen:progress',
  payload: { session_id: 's'.repeat(22), seq, position_ms: seq * 5000, state: 'playing', occurred_at_ms: seq },
});

/** A queue whose sending is answered by hand, and whose waiting never takes real time. */
function bench(kept: Report[] = []) {
  const sent: string[] = [];
  const refused: string[] = [];
  const answers: ((result: SendResult) => void)[] = [];
  const delays: { ms: number; done: () => void }[] = [];
  let stored: readonly Report[] = kept;
  let shown = -1;
  const queue = new ReportQueue({
    send: (one) => {
      sent.push(one.id);
      return new Promise((resolve) => answers.push(resolve));
    },
    store: { read: () => [...stored], write: (reports) => (stored = [...reports]) },
    delay: (ms) => new Promise((resolve) => delays.push({ ms, done: resolve })),
    onchange: (waiting) => (shown = waiting),
    onrefused: (one, why) => refused.push(`${one.id}: ${why}`),
  });
  const settle = async () => {
    for (let i = 0; i < 10; i++) await Promise.resolve();
  };
  return {
    queue,
    sent,
    refused,
    delays,
    settle,
    stored: () => stored.map((one) => one.id),
    shown: () => shown,
    answer: async (result: SendResult) => {
      answers.shift()?.(result);
      await settle();
    },
  };
}
const SENT: SendResult = { kind: 'sent' };

describe('report queue', () => {
  it('keeps reports until the line is there, then sends them one by one in order', async () => {
    const b = bench();
    b.queue.add(report(1));
    b.queue.add(report(2));
    await b.settle();
    expect(b.sent).toEqual([]);
    expect(b.shown()).toBe(2);
    b.queue.resume();
    await b.settle();
    expect(b.sent).toEqual(['r1']);
    await b.answer(SENT);
    expect(b.sent).toEqual(['r1', 'r2']);
    await b.answer(SENT);
    expect(b.shown()).toBe(0);
    expect(b.stored()).toEqual([]);
  });

  it('holds a report until it is acknowledged, and sends it again after a break', async () => {
    const b = bench();
    b.queue.resume();
    b.queue.add(report(1));
    b.queue.add(report(2));
    await b.settle();
    b.queue.pause();
    await b.answer({ kind: 'later', after_ms: 2000 });
    expect(b.stored()).toEqual(['r1', 'r2']);
    b.queue.resume();
    await b.settle();
    expect(b.sent).toEqual(['r1', 'r1']);
    await b.answer(SENT);
    expect(b.sent).toEqual(['r1', 'r1', 'r2']);
  });

  it('waits as long as the server asks, and others wait behind', async () => {
    const b = bench();
    b.queue.resume();
    b.queue.add(report(1));
    await b.settle();
    await b.answer({ kind: 'later', after_ms: 7000 });
    b.queue.add(report(2));
    await b.settle();
    expect(b.delays.map((one) => one.ms)).toEqual([7000]);
    expect(b.sent).toEqual(['r1']);
    b.delays[0]?.done();
    await b.settle();
    expect(b.sent).toEqual(['r1', 'r1']);
  });

  it('drops a report that is refused for good, says so, and goes on', async () => {
    const b = bench();
    b.queue.resume();
    b.queue.add(report(1));
    b.queue.add(report(2));
    await b.settle();
    await b.answer({ kind: 'refused', why: 'makes no sense' });
    expect(b.refused).toEqual(['r1: makes no sense']);
    expect(b.sent).toEqual(['r1', 'r2']);
    expect(b.shown()).toBe(1);
  });

  it('takes up what an earlier visit left', async () => {
    const b = bench([report(1), report(2)]);
    expect(b.shown()).toBe(2);
    b.queue.add(report(3));
    b.queue.resume();
    await b.settle();
    await b.answer(SENT);
    await b.answer(SENT);
    expect(b.sent).toEqual(['r1', 'r2', 'r3']);
  });

  it('a line that comes back cuts a wait short', async () => {
    const b = bench();
    b.queue.resume();
    b.queue.add(report(1));
    await b.settle();
    await b.answer({ kind: 'later', after_ms: 60_000 });
    b.queue.pause();
    b.queue.resume();
    await b.settle();
    expect(b.sent).toEqual(['r1', 'r1']);
  });
});
