/** Somebody signed in, with as much of a browser around them as the session module asks for. */
import { vi } from 'vitest';
import { session } from '../../../client/src/features/accounts/session.svelte.ts';
import { gateway } from '../../../client/src/lib/gateway.svelte.ts';
import type { Me } from '#contract/accounts.ts';
import type { FakeServer } from './fake-server.ts';

export async function signedIn(server: FakeServer, me: Partial<Me> = {}): Promise<void> {
  const kept = new Map<string, string>();
  vi.stubGlobal('localStorage', {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
  });
  vi.stubGlobal('navigator', { languages: ['en'], onLine: true });
  vi.stubGlobal('document', { documentElement: { dataset: {}, lang: '' } });
  vi.stubGlobal('addEventListener', () => undefined);
  // The line is not what is looked at here.
  vi.spyOn(gateway, 'connect').mockReturnValue();
  server.on('GET', '/auth/profile', () => ({
    body: { id: 'me', username: 'ana', display_name: 'Ana', avatar_url: null, email: null, roles: ['user'], ...me },
  }));
  server.on('GET', '/user/preferences', () => ({ body: {} }));
  await session.load();
  if (session.me) session.changed({ avatar_url: me.avatar_url ?? null });
}
