import { i18n } from './i18n.svelte.ts';
import { playlistsDe } from './messages/playlists.de.ts';
import { playlistsEn } from './messages/playlists.en.ts';

/** The texts of playlists and of the track grid in the chosen language; reactive where it is called in a derived value. */
export function playlistWords(): typeof playlistsEn {
  return i18n.locale === 'de' ? playlistsDe : playlistsEn;
}
