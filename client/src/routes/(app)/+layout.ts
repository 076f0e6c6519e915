import { redirect } from '@sveltejs/kit';
import { session } from '../../features/accounts/session.svelte.ts';
import { loginAddress } from '../../lib/sign-in.ts';

/** Everything in this group is for people who are signed in; where they wanted to go is kept. */
export async function load({ url }: { url: URL }): Promise<void> {
  await session.load();
  if (session.me || session.problem) return;
  // Kit keeps the fragment from `load`; on the way in the address bar has it.
  const hash = location.pathname === url.pathname ? location.hash : '';
  redirect(307, loginAddress(url.pathname + url.search + hash));
}
