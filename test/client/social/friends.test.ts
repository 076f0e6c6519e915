import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { friends } from '../../../client/src/features/social/friends.svelte.ts';
import { gateway } from '../../../client/src/lib/gateway.svelte.ts';
import { fakeServer } from '../support/fake-server.ts';
import type { ListeningUpdate } from '#contract/listens.ts';

const START_MS = Date.UTC(2026, 0, 1);
const person = (id: string, follows_me: boolean, listening: ListeningUpdate | null = null) => ({
  id,
  username: id,
  display_name: id,
  avatar_url: null,
  follows_me,
  presence: 'online',
  listening,
});
const heard = (user_id: string, state: ListeningUpdate['state']): ListeningUpdate =>
  ({
    user_id,
    username: user_id,
    track: { duration: 200 },
    position_ms: 0,
    at_ms: Date.now(),
    state,
  }) as ListeningUpdate;

describe('a friend who begins to listen', () => {
  const began: string[] = [];
  const notices = vi.spyOn(gateway, 'on');
  const tell = (update: ListeningUpdate) => {
    for (const [name, handler] of notices.mock.calls) {
      if (name === 'listening:update') (handler as (payload: ListeningUpdate) => void)(update);
    }
  };

  beforeEach(async () => {
    vi.useFakeTimers({ now: START_MS });
    fakeServer().on('GET', '/social/following', () => ({
      body: {
        items: [person('ben', true), person('cleo', false), person('dan', true, heard('dan', 'playing'))],
        next_cursor: null,
      },
    }));
    await friends.open();
    began.length = 0;
    friends.onBegin((one) => began.push(one.id));
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  it('is told once, not at each track, and again after a long break; nobody else is', () => {
    // Only one I follow, only one who was at it already, only a stranger whose page I look at.
    for (const id of ['cleo', 'dan', 'stranger']) tell(heard(id, 'playing'));
    expect(began).toEqual([]);

    tell(heard('ben', 'playing'));
    expect(began).toEqual(['ben']);
    for (const state of ['paused', 'playing', 'stopped', 'playing'] as const) {
      vi.setSystemTime(Date.now() + 1_000);
      tell(heard('ben', state));
    }
    expect(began).toEqual(['ben']);

    tell(heard('ben', 'stopped'));
    vi.setSystemTime(Date.now() + 121_000);
    tell(heard('ben', 'playing'));
    expect(began).toEqual(['ben', 'ben']);
  });
});
