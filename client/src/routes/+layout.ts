import { i18n } from '../lib/i18n.svelte.ts';
import { rememberedLanguage } from '../features/accounts/session.svelte.ts';

/** A single-page app: the server sends one page for every address. */
export const ssr = false;

export async function load(): Promise<void> {
  await i18n.use(rememberedLanguage());
}
