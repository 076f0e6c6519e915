import { parseCookie, stringifySetCookie } from 'cookie';
import type { IncomingMessage } from 'node:http';

/** Browsers keep a cookie 400 days at most; how long the session behind it lives is the server's to say. */
const SESSION_COOKIE_LIFE = 400 * 24 * 3600;

/** Our two cookies: the session, and the mark of a browser that is signing in. */
export interface Cookies {
  readSession(req: IncomingMessage): string | null;
  session(secret: string): string;
  noSession(): string;
  readBrowser(req: IncomingMessage): string | null;
  browser(secret: string, maxAge: number): string;
  noBrowser(): string;
}

const SECRET = /^[A-Za-z0-9_-]{43}$/;

/** Names and attributes by the public address: on https `__Host-` and `Secure`, so that no other host can plant one. */
export function createCookies(publicUrl: string): Cookies {
  const secure = publicUrl.startsWith('https:');
  const prefix = secure ? '__Host-' : '';
  const name = { session: `${prefix}sbm_session`, browser: `${prefix}sbm_login` };
  const read = (req: IncomingMessage, cookie: string): string | null => {
    const value = parseCookie(req.headers.cookie ?? '')[cookie];
    return value !== undefined && SECRET.test(value) ? value : null;
  };
  const write = (cookie: string, value: string, maxAge: number): string =>
    stringifySetCookie({ name: cookie, value, maxAge, path: '/', httpOnly: true, sameSite: 'lax', secure });
  return {
    readSession: (req) => read(req, name.session),
    session: (secret) => write(name.session, secret, SESSION_COOKIE_LIFE),
    noSession: () => write(name.session, '', 0),
    readBrowser: (req) => read(req, name.browser),
    browser: (secret, maxAge) => write(name.browser, secret, maxAge),
    noBrowser: () => write(name.browser, '', 0),
  };
}
