import { i18n } from './i18n.svelte.ts';
import { listeningDe } from './messages/listening.de.ts';
import { listeningEn } from './messages/listening.en.ts';

/** The texts of history, statistics, feed and imports in the chosen language; reactive in a derived value. */
export function listeningWords(): typeof listeningEn {
  return i18n.locale === 'de' ? listeningDe : listeningEn;
}
