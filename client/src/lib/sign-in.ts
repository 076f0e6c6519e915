/** The ways in: addresses of the sign-in that come back to where somebody was. */

const LOGIN_PATH = '/login';

/** Where the server begins the sign-in; a plain navigation, because its pages live outside the client. */
export function signInAddress(return_to: string): string {
  return `/api/v1/auth/login?return_to=${encodeURIComponent(return_to)}`;
}

/** As `signInAddress`, for somebody who is signed in and has to say again who they are. */
export function reauthAddress(return_to: string): string {
  return `${signInAddress(return_to)}&prompt=login`;
}

/** The client's own sign-in page, which explains and links to the server's. */
export function loginAddress(return_to: string): string {
  return return_to === '/' ? LOGIN_PATH : `${LOGIN_PATH}?return_to=${encodeURIComponent(return_to)}`;
}

/** A `return_to` from the address bar is followed only inside this site, and never back to the sign-in page. */
export function safeReturnTo(value: string | null): string {
  if (value === null || !/^\/(?![/\\])/.test(value)) return '/';
  return /^\/login(?![^/?#])/.test(value) ? '/' : value;
}

/** The place an address of this site names, as `return_to` wants it: path, query and fragment. */
export function placeOf({ pathname, search, hash }: Pick<URL, 'pathname' | 'search' | 'hash'>): string {
  return pathname + search + hash;
}
