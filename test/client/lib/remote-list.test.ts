import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { api } from '../../../client/src/lib/api.ts';
import { RemoteList } from '../../../client/src/lib/remote-list.svelte.ts';
import { toaster } from '../../../client/src/ui/toaster.svelte.ts';
import { fakeServer, refusal } from '../support/fake-server.ts';
import type { FakeServer } from '../support/fake-server.ts';

interface Thing {
  id: string;
  name: string;
}
const A = { id: 'a', name: 'A' };
const B = { id: 'b', name: 'B' };
const C = { id: 'c', name: 'C' };
const page = (items: Thing[], next_cursor: string | null = null) => ({ body: { items, next_cursor } });
const names = (list: RemoteList<Thing>) => list.items?.map((item) => item.name);

describe('a list of the server', () => {
  let server: FakeServer;
  let list: RemoteList<Thing>;

  beforeEach(async () => {
    vi.useFakeTimers();
    server = fakeServer();
    server.on('GET', '/things', () => page([A, B, C]));
    list = new RemoteList<Thing>('/things');
    await list.load();
  });
  afterEach(() => {
    for (const toast of toaster.toasts) toaster.dismiss(toast.id);
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  const rename = (name: string) =>
    list.change('b', { name }, () => api.patch<Thing>('/things/b', { name }), 'B was not renamed');
  const remove = (failed?: string) => list.remove('b', () => api.del('/things/b'), failed);

  it('shows a change before the server has answered, and then what the server made of it', async () => {
    const answer = Promise.withResolvers<{ body: Thing }>();
    server.on('PATCH', '/things/b', () => answer.promise);
    const done = rename('New');
    expect(names(list)).toEqual(['A', 'New', 'C']);
    answer.resolve({ body: { id: 'b', name: 'New, trimmed' } });
    expect(await done).toBeNull();
    expect(names(list)).toEqual(['A', 'New, trimmed', 'C']);
    expect(toaster.toasts).toEqual([]);
  });

  it('takes a refused change back, says why, and offers no second try that cannot help', async () => {
    server.on('PATCH', '/things/b', () => refusal(400, 'invalid', 'too long'));
    expect((await rename('New'))?.code).toBe('invalid');
    expect(names(list)).toEqual(['A', 'B', 'C']);
    expect(toaster.toasts.map(({ text, tone, action }) => ({ text, tone, action }))).toEqual([
      { text: 'B was not renamed: too long', tone: 'error', action: undefined },
    ]);
  });

  it('offers to try again what may succeed later', async () => {
    server.on('PATCH', '/things/b', () => refusal(503, 'unavailable'));
    await rename('New');
    const [toast] = toaster.toasts;
    expect(toast?.action).toBe('Try again');
    server.on('PATCH', '/things/b', () => ({ body: { id: 'b', name: 'New' } }));
    toaster.act(toast!);
    await vi.waitFor(() => expect(names(list)).toEqual(['A', 'New', 'C']));
  });

  it('puts what was not removed back where it stood', async () => {
    server.on('DELETE', '/things/b', () => refusal(500, 'internal'));
    const done = remove('B is still there');
    expect(names(list)).toEqual(['A', 'C']);
    await done;
    expect(names(list)).toEqual(['A', 'B', 'C']);
    expect(toaster.toasts[0]?.text).toMatch(/^B is still there: /);
  });

  it('leaves the telling to a dialog that asked', async () => {
    server.on('DELETE', '/things/b', () => refusal(500, 'internal'));
    expect((await remove())?.code).toBe('internal');
    expect(toaster.toasts).toEqual([]);
  });

  it('takes what somebody else removed as removed', async () => {
    server.on('DELETE', '/things/b', () => refusal(404, 'not_found'));
    expect(await remove('B is still there')).toBeNull();
    expect(names(list)).toEqual(['A', 'C']);
    expect(toaster.toasts).toEqual([]);
  });

  it('passes over a late answer to an earlier question', async () => {
    const slow = Promise.withResolvers<ReturnType<typeof page>>();
    server.on('GET', '/things', ({ path }) => (path.includes('q=slow') ? slow.promise : page([C])));
    const first = list.load({ q: 'slow' });
    await list.load({ q: 'quick' });
    slow.resolve(page([A]));
    await first;
    expect(names(list)).toEqual(['C']);
  });

  it('reads page after page, and no item twice', async () => {
    server.on('GET', '/things', ({ path }) => (path.includes('cursor=2') ? page([B, C]) : page([A, B], '2')));
    await list.load();
    expect(list.hasMore).toBe(true);
    await list.more();
    expect(names(list)).toEqual(['A', 'B', 'C']);
    expect(list.hasMore).toBe(false);
  });

  it('keeps what is shown when it cannot be read anew, and knows why', async () => {
    server.on('GET', '/things', () => refusal(503, 'unavailable'));
    await list.load();
    expect(names(list)).toEqual(['A', 'B', 'C']);
    expect(list.problem?.code).toBe('unavailable');
  });
});
