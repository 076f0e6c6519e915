import { i18n } from './i18n.svelte.ts';
import { favoritesDe } from './messages/favorites.de.ts';
import { favoritesEn } from './messages/favorites.en.ts';

/** The texts of hearts, stars and notes in the chosen language; reactive where it is called in a derived value. */
export function favoriteWords(): typeof favoritesEn {
  return i18n.locale === 'de' ? favoritesDe : favoritesEn;
}
