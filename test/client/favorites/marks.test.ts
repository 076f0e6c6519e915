import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Marks } from '../../../client/src/features/favorites/marks.svelte.ts';
import { gateway } from '../../../client/src/lib/gateway.svelte.ts';
import { fakeServer, refusal } from '../support/fake-server.ts';
import type { Mark } from '#contract/favorites.ts';
import type { FakeServer } from '../support/fake-server.ts';

const markOf = (track_id: string, more: Partial<Mark> = {}): Mark => ({
  track_id,
  rating: null,
  notes: null,
  favorited_at: null,
  version: 1,
  ...more,
});

describe('hearts and stars on the page', () => {
  let server: FakeServer;
  let marks: Marks;
  const heard = vi.spyOn(gateway, 'on');
  const tell = (told: unknown) => {
    for (const [name, handler] of heard.mock.calls) {
      if (name === 'favorites:changed') (handler as (payload: unknown) => void)({ kind: 'track', marks: [told] });
    }
  };
  beforeEach(() => {
    vi.useFakeTimers();
    heard.mockClear();
    server = fakeServer();
    marks = new Marks();
    marks.start();
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  test('[FA10] are asked for once, many at a time', async () => {
    server.on('GET', '/favorites/marks', () => ({
      body: { items: [markOf('t3', { rating: 4 })], albums: [], artists: [], next_cursor: null },
    }));
    marks.want(['t1', 't2', 't3']);
    marks.want(['t2', 't3']);
    await vi.advanceTimersByTimeAsync(100);
    expect(server.calls.map(({ path }) => path)).toEqual(['/favorites/marks?track_ids=t1%2Ct2%2Ct3']);
    expect([marks.of('t1').rating, marks.of('t3').rating]).toEqual([null, 4]);
    marks.want(Array.from({ length: 450 }, (_, i) => `n${i}`));
    await vi.advanceTimersByTimeAsync(500);
    expect(server.calls).toHaveLength(4);
  });

  test('[FA10] are shown as wished at once, and taken back when the server refuses', async () => {
    let answer: (given: { status?: number; body?: unknown }) => void = () => undefined;
    server.on('PUT', '/favorites', () => new Promise((resolve) => (answer = resolve)));
    const refused = marks.change([{ track_id: 't1', is_favorite: true, rating: 5 }]);
    await vi.advanceTimersByTimeAsync(0);
    expect(marks.of('t1')).toMatchObject({ is_favorite: true, rating: 5 });
    answer(refusal(507, 'disk_full'));
    expect((await refused)?.code).toBe('disk_full');
    expect(marks.of('t1')).toMatchObject({ is_favorite: false, rating: null });

    const taken = marks.change([{ track_id: 't1', rating: 2 }]);
    await vi.advanceTimersByTimeAsync(0);
    answer({ body: { items: [markOf('t1', { rating: 2, favorited_at: 7, version: 3 })] } });
    expect(await taken).toBeNull();
    expect(marks.of('t1')).toMatchObject({ is_favorite: true, rating: 2 });
  });

  test('[FA8] follow what another device does, and an answer that was overtaken changes nothing', async () => {
    server.on('PUT', '/favorites', () => {
      tell({ track_id: 't1', rating: 1, favorited_at: null, has_note: true, version: 9 });
      return { body: { items: [markOf('t1', { rating: 5, version: 8 })] } };
    });
    await marks.change([{ track_id: 't1', rating: 5 }]);
    expect(marks.of('t1')).toEqual({ is_favorite: false, favorited_at: null, rating: 1, has_note: true, version: 9 });
  });

  test('[FA10] of two wishes at once the later is shown, whichever is answered first', async () => {
    const answers: ((given: { body: unknown }) => void)[] = [];
    server.on('PUT', '/favorites', () => new Promise((resolve) => answers.push(resolve)));
    const [first, second] = [
      marks.change([{ track_id: 't1', rating: 1 }]),
      marks.change([{ track_id: 't1', rating: 4 }]),
    ];
    await vi.advanceTimersByTimeAsync(0);
    expect(marks.of('t1').rating).toBe(4);
    answers[1]!({ body: { items: [markOf('t1', { rating: 4, version: 3 })] } });
    await second;
    expect(marks.of('t1').rating).toBe(4);
    answers[0]!({ body: { items: [markOf('t1', { rating: 1, version: 2 })] } });
    await first;
    expect(marks.of('t1').rating).toBe(4);
  });
});
