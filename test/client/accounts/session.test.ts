import { afterEach, describe, expect, it, vi } from 'vitest';
import { session } from '../../../client/src/features/accounts/session.svelte.ts';
import { reauth } from '../../../client/src/features/accounts/reauth.svelte.ts';
import { api } from '../../../client/src/lib/api.ts';
import { visited } from '../support/navigation.ts';
import { fakeServer, refusal } from '../support/fake-server.ts';
import { signedIn } from '../support/signed-in.ts';

describe('a session', () => {
  afterEach(() => {
    vi.restoreAllMocks();
    vi.unstubAllGlobals();
  });

  it('that asks for a fresh sign-in is told once, and goes on', async () => {
    const server = fakeServer();
    await signedIn(server);
    server.on('POST', '/user/export', () => refusal(403, 'reauth_required'));
    await expect(api.post('/user/export')).rejects.toMatchObject({ code: 'reauth_required' });
    expect(reauth.isNeeded).toBe(true);
    expect(session.me).not.toBeNull();
  });

  it('that ends while in use leads to the sign-in and back to the same place, however many calls find it', async () => {
    const server = fakeServer();
    await signedIn(server);
    vi.stubGlobal('location', new URL('http://x.invalid/search?q=one#tracks'));
    server.on('GET', '/library/tracks', () => refusal(401, 'unauthenticated'));
    await Promise.allSettled([api.get('/library/tracks'), api.get('/library/tracks'), api.get('/library/tracks')]);
    expect(visited).toEqual([`/login?return_to=${encodeURIComponent('/search?q=one#tracks')}`]);
    expect(session.me).toBeNull();
    expect(session.wasLost).toBe(true);
  });
});
