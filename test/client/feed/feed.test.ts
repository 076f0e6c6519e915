import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Feed } from '../../../client/src/features/feed/feed.svelte.ts';
import { merged } from '../../../client/src/features/feed/merged.ts';
import { gateway } from '../../../client/src/lib/gateway.svelte.ts';
import { ApiProblem } from '../../../client/src/lib/problem.ts';
import { fakeServer, refusal } from '../support/fake-server.ts';
import type { FeedItem } from '#contract/feed.ts';
import type { FakeServer } from '../support/fake-server.ts';

const item = (n: number): FeedItem => ({
  id: `item-${n}`,
  type: 'listen',
  actor: { id: 'ben', username: 'ben', display_name: 'Ben', avatar_url: null },
  object: {
    track_id: null,
    track: null,
    text: { title: `T${n}`, artist: null, album: null, duration: null },
    started_at: n,
  },
  created_at: n,
  cursor: `c${n}`,
});
const ids = (items: readonly FeedItem[] | null) => items?.map(({ id }) => Number(id.slice(5)));

interface Subscribed {
  items: FeedItem[];
  cursor: string;
  has_more: boolean;
  resync: boolean;
}

describe('the feed', () => {
  let server: FakeServer;
  let feed: Feed;
  let reading = false;
  let close: () => void;
  let tell: (one: FeedItem) => void;
  let live: () => void;
  let down: () => void;
  /** What the server answers to each `feed:subscribe`, in turn. */
  let answers: (Partial<Subscribed> | ApiProblem)[];
  let asked: (string | undefined)[];
  const settle = () => vi.advanceTimersByTimeAsync(0);

  beforeEach(() => {
    vi.useFakeTimers();
    reading = false;
    answers = [];
    asked = [];
    server = fakeServer();
    server.on('GET', '/social/feed', () => ({ body: { items: [item(3), item(2)], next_cursor: null } }));
    vi.spyOn(gateway, 'on').mockImplementation((_name, handler) => {
      tell = handler as unknown as typeof tell;
      return () => undefined;
    });
    vi.spyOn(gateway, 'state', 'get').mockReturnValue('live');
    vi.spyOn(gateway, 'onLive').mockImplementation((handler) => {
      live = handler;
      handler();
      return () => undefined;
    });
    vi.spyOn(gateway, 'onDown').mockImplementation((handler) => {
      down = handler;
      return () => undefined;
    });
    vi.spyOn(gateway, 'request').mockImplementation(((name: string, payload: { cursor?: string }) => {
      if (name !== 'feed:subscribe') return Promise.resolve({});
      asked.push(payload.cursor);
      const answer = answers.shift() ?? {};
      if (answer instanceof ApiProblem) return Promise.reject(answer);
      return Promise.resolve({ items: [], cursor: 'head', has_more: false, resync: false, ...answer });
    }) as unknown as typeof gateway.request);
    feed = new Feed();
  });
  afterEach(() => {
    close();
    vi.restoreAllMocks();
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });
  const open = async () => {
    close = feed.open(() => reading);
    await settle();
  };

  it('takes its place first and reads then, so that nothing falls between', async () => {
    await open();
    expect(asked).toEqual([undefined]);
    expect(ids(feed.items)).toEqual([3, 2]);
    expect(feed.isLive).toBe(true);
    tell(item(4));
    expect(ids(feed.items)).toEqual([4, 3, 2]);
  });

  it('resumes where it was after a break, page by page, and shows nothing twice', async () => {
    await open();
    tell(item(4));
    down();
    expect(feed.isLive).toBe(false);
    answers = [
      { items: [item(4), item(5)], cursor: 'c5', has_more: true },
      { items: [item(6)], cursor: 'c6' },
    ];
    live();
    await settle();
    expect(asked).toEqual([undefined, 'c4', 'c5']);
    expect(ids(feed.items)).toEqual([6, 5, 4, 3, 2]);
    expect(feed.isLive).toBe(true);
  });

  it('moves nothing under somebody who reads: what is new waits to be shown', async () => {
    await open();
    reading = true;
    tell(item(4));
    tell(item(5));
    tell(item(5));
    expect(ids(feed.items)).toEqual([3, 2]);
    expect(ids(feed.fresh)).toEqual([5, 4]);
    feed.showFresh();
    expect(ids(feed.items)).toEqual([5, 4, 3, 2]);
    expect(feed.fresh).toEqual([]);
  });

  it('begins anew, and says that there is a gap, when the place is too old', async () => {
    await open();
    down();
    answers = [{ resync: true, cursor: 'new' }];
    server.on('GET', '/social/feed', () => ({ body: { items: [item(9)], next_cursor: null } }));
    live();
    await settle();
    expect(feed.hasGap).toBe(true);
    expect(ids(feed.items)).toEqual([9]);
  });

  it('gives up a place the server does not know, and begins anew', async () => {
    await open();
    down();
    answers = [new ApiProblem({ code: 'malformed', status: 400, detail: 'cursor' }), {}];
    live();
    await settle();
    expect(asked).toEqual([undefined, 'head', undefined]);
    expect(ids(feed.items)).toEqual([3, 2]);
    expect(feed.isLive).toBe(true);
  });

  it('opened again shows no more what was taken back meanwhile', async () => {
    await open();
    close();
    server.on('GET', '/social/feed', () => ({ body: { items: [item(3)], next_cursor: null } }));
    await open();
    expect(ids(feed.items)).toEqual([3]);
  });

  it('reads what is older behind what is there', async () => {
    server.on('GET', '/social/feed', ({ path }) => ({
      body: path.includes('cursor=older')
        ? { items: [item(2), item(1)], next_cursor: null }
        : { items: [item(3), item(2)], next_cursor: 'older' },
    }));
    await open();
    expect(feed.hasMore).toBe(true);
    await feed.more();
    expect(ids(feed.items)).toEqual([3, 2, 1]);
    expect(feed.hasMore).toBe(false);
  });

  it('knows why it could not be read, and can try again', async () => {
    server.on('GET', '/social/feed', () => refusal(503, 'unavailable'));
    await open();
    expect(feed.items).toBeNull();
    expect(feed.problem?.code).toBe('unavailable');
    server.on('GET', '/social/feed', () => ({ body: { items: [], next_cursor: null } }));
    await feed.load();
    expect(feed.items).toEqual([]);
    expect(feed.problem).toBeNull();
  });

  it('merges with each once and the newest first', () => {
    expect(ids(merged([item(5), item(3)], [item(4), item(3)]))).toEqual([5, 4, 3]);
  });
});
