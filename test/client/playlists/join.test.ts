import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { JoinState } from '../../../client/src/features/playlists/join.svelte.ts';
import { fakeServer, refusal } from '../support/fake-server.ts';
import type { FakeServer } from '../support/fake-server.ts';

const OFFER = {
  playlist_id: 'p1',
  name: 'Letters',
  owner: { id: 'u1', username: 'ana', display_name: 'Ana', avatar_url: null },
  role: 'editor',
  expires_at: 2_000_000_000,
  my_role: null,
};

describe('an invitation', () => {
  let server: FakeServer;
  beforeEach(() => {
    server = fakeServer();
  });
  afterEach(() => void vi.unstubAllGlobals());

  it.each([
    [null, 'editor', null],
    ['public', 'viewer', null],
    ['viewer', 'editor', null],
    ['viewer', 'viewer', 'viewer'],
    ['editor', 'viewer', 'editor'],
    ['owner', 'editor', 'owner'],
  ])('to somebody who is %s, to become %s, brings nothing new to %s', async (my_role, role, held) => {
    server.on('GET', '/invites/c', () => ({ body: { ...OFFER, my_role, role } }));
    const join = new JoinState('c');
    await join.load();
    expect(join.heldRole).toBe(held);
  });

  it('leads to the list when it is accepted', async () => {
    server.on('GET', '/invites/c%2Fd', () => ({ body: OFFER }));
    server.on('POST', '/invites/c%2Fd/accept', () => ({ body: { id: 'p1' } }));
    const join = new JoinState('c/d');
    await join.load();
    expect(join.invite?.name).toBe('Letters');
    expect(await join.accept()).toBe('p1');
    expect(join.isSpent).toBe(false);
  });

  it('that somebody else used meanwhile is spent; a failure of another kind can be tried again', async () => {
    server.on('GET', '/invites/c', () => ({ body: OFFER }));
    server.on('POST', '/invites/c/accept', () => refusal(503, 'unavailable'));
    const join = new JoinState('c');
    await join.load();
    expect(await join.accept()).toBeNull();
    expect([join.isSpent, join.problem?.code, join.busy]).toEqual([false, 'unavailable', false]);
    server.on('POST', '/invites/c/accept', () => refusal(404, 'not_found'));
    expect(await join.accept()).toBeNull();
    expect([join.isSpent, join.problem]).toEqual([true, null]);
  });
});
