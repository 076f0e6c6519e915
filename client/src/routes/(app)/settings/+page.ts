import { redirect } from '@sveltejs/kit';

/** The settings open on the profile. */
export function load(): void {
  redirect(307, '/settings/profile');
}
