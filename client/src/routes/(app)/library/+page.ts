import { redirect } from '@sveltejs/kit';

/** The library opens on its tracks. */
export function load(): void {
  redirect(307, '/library/tracks');
}
