import { redirect } from '@sveltejs/kit';

/** The administration opens on the people. */
export function load(): void {
  redirect(307, '/admin/users');
}
