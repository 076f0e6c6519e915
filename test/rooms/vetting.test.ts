import { describe, expect, test } from 'vitest';
import * as Y from 'yjs';
import { addEntries } from '#contract/playlist-doc.ts';
import { newIds } from '#server/ids.ts';
import { createVetting, LARGE_UPDATE_BYTES } from '#rooms/playlist/vetting.ts';

function listOf(count: number): Uint8Array {
  const doc = new Y.Doc();
  const entries = Array.from({ length: count }, () => ({
    entry_id: newIds.id(),
    value: { track_id: newIds.id(), added_by: null, added_at: 1 },
  }));
  addEntries(doc, entries, null);
  return Y.encodeStateAsUpdate(doc);
}

/** A thread that begins to read and never ends when the update starts with 9, ends its process when with 8, and passes all else. */
const STRANGE = new URL(
  `data:text/javascript,${encodeURIComponent(`
    import { parentPort } from 'node:worker_threads';
    parentPort.on('message', ({ id, bytes }) => {
      parentPort.postMessage({ id, kind: 'begun' });
      if (bytes[0] === 8) process.exit(1);
      if (bytes[0] !== 9) parentPort.postMessage({ id, kind: 'passed' });
      else for (;;);
    });
  `)}`,
);

describe('large updates in a thread of their own', () => {
  test('[PL51] honest ones pass, in the order they came', async () => {
    const { vet } = createVetting();
    const bytes = listOf(1_000);
    expect(bytes.byteLength).toBeGreaterThan(LARGE_UPDATE_BYTES);
    const order: number[] = [];
    await Promise.all([1, 2, 3].map((n) => vet(bytes).then(() => order.push(n))));
    expect(order).toEqual([1, 2, 3]);
  });

  test('[PL51] what cannot be read, or holds what no list holds, is refused, and the next is read', async () => {
    const { vet } = createVetting();
    const bytes = listOf(1_000);
    const nested = new Y.Doc();
    for (let i = 0; i < 500; i++) nested.getMap('entries').set(newIds.id(), new Y.Map([['track_id', newIds.id()]]));
    const elsewhere = new Y.Doc();
    for (let i = 0; i < 500; i++) elsewhere.getMap('other').set(newIds.id(), newIds.id());
    const outcomes = await Promise.allSettled([
      vet(bytes.slice(0, -7)),
      vet(Y.encodeStateAsUpdate(nested)),
      vet(Y.encodeStateAsUpdate(elsewhere)),
      vet(bytes),
    ]);
    expect(outcomes.map((one) => (one.status === 'rejected' ? one.reason.reason : 'passed'))).toEqual([
      'malformed',
      'schema',
      'schema',
      'passed',
    ]);
  });

  test('[PL51] one that takes too long, or ends the thread, is to come again, and holds up no other', async () => {
    const { vet } = createVetting({ file: STRANGE, patienceMs: 50 });
    const outcomes = await Promise.allSettled([9, 1, 8, 2].map((first) => vet(new Uint8Array([first]))));
    expect(outcomes.map((one) => (one.status === 'rejected' ? one.reason.reason : 'passed'))).toEqual([
      'too_fast',
      'passed',
      'too_fast',
      'passed',
    ]);
  });
});
