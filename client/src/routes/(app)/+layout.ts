import { redirect } from '@sveltejs/kit';
import { loginAddress, session } from '../../features/accounts/session.svelte.ts';

/** Everything in this group is for people who are signed in; where they wanted to go is kept. */
export async function load({ url }: { url: URL }): Promise<void> {
  await session.load();
  if (!session.me && !session.problem) redirect(307, loginAddress(url.pathname + url.search));
}
