import 'fake-indexeddb/auto';
import { describe, expect, it } from 'vitest';
import { reportStore } from '../../../client/src/features/listens/report-store.ts';
import type { Report } from '../../../client/src/features/listens/report-queue.ts';

const report = (id: string): Report => ({
  id,
  name: 'listen:complete',
  payload: { session_id: 's'.repeat(22), seq: 1, position_ms: 1 },
});
const ids = async (user: string) => (await reportStore(user).read()).map((one) => one.id);

describe('report store', () => {
  it('keeps reports in order, apart for each person, until they are removed', async () => {
    const ana = reportStore('ana');
    for (const id of ['a3', 'a1', 'a2']) await ana.add(report(id));
    await reportStore('ben').add(report('b1'));
    // Another tab, another visit.
    expect(await ids('ana')).toEqual(['a3', 'a1', 'a2']);
    expect(await ids('ben')).toEqual(['b1']);
    await reportStore('ana').remove(['a3', 'a2', 'never there']);
    expect(await ids('ana')).toEqual(['a1']);
  });
});
