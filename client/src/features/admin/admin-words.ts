import { i18n } from '../../lib/i18n.svelte.ts';
import { adminDe } from '../../lib/messages/admin.de.ts';
import { adminEn } from '../../lib/messages/admin.en.ts';

/** The texts of the administration in the chosen language; reactive where it is called in a derived value. */
export function adminWords(): typeof adminEn {
  return i18n.locale === 'de' ? adminDe : adminEn;
}
