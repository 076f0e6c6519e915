import { i18n } from '../../../lib/i18n.svelte.ts';
import { accountDe } from '../../../lib/messages/account.de.ts';
import { accountEn } from '../../../lib/messages/account.en.ts';

/** The texts of the settings views in the chosen language; reactive where it is called in a derived value. */
export function accountWords(): typeof accountEn {
  return i18n.locale === 'de' ? accountDe : accountEn;
}
