/**
 * A mark in browsers somebody has signed in from, so that guessing elsewhere does not hold them up there (the "device
 * cookie" of OWASP, "Slow Down Online Guessing Attacks with Device Cookies"). It opens nothing by itself: whoever copies it
 * still has to guess, and is slowed on their own account.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { parseCookie, stringifySetCookie } from 'cookie';
import { foldUsername } from '#domain/accounts/accounts.rules.ts';
import type { Clock } from '#domain/ports.ts';
import type { IncomingMessage } from 'node:http';

/** Seconds after which a browser that was not used to sign in is a stranger again. */
const LIFE = 180 * 24 * 3600;
/** People of one household who sign in at one browser; the one longest ago is forgotten. */
const PEOPLE = 4;
const ENTRY = /^([\w-]{16})\.(\d{1,12})\.([\w-]{43})$/;

export interface KnownBrowsers {
  /** What stands for this browser where that person has signed in before; null when it has no (true) mark of theirs. */
  find(req: IncomingMessage, username: string): string | null;
  /** The `set-cookie` line after a sign-in. */
  mark(req: IncomingMessage, username: string): string;
}

/** `keys`: the first marks, all are accepted. */
export function createKnownBrowsers(publicUrl: string, keys: readonly string[], clock: Clock): KnownBrowsers {
  const secure = publicUrl.startsWith('https:');
  const name = `${secure ? '__Host-' : ''}sbm_known`;
  const nowSeconds = () => Math.floor(clock.nowMs() / 1000);
  // The name is in the seal alone: the cookie does not tell who uses this browser.
  const seal = (key: string, username: string, nonce: string, at: string) =>
    createHmac('sha256', key)
      .update(['known-browser', foldUsername(username), nonce, at].join('\n'))
      .digest('base64url');
  const isTrue = (username: string, [, nonce = '', at = '', sealed = '']: RegExpExecArray) =>
    keys.some((key) => timingSafeEqual(Buffer.from(seal(key, username, nonce, at)), Buffer.from(sealed)));
  const entries = (req: IncomingMessage) =>
    (parseCookie(req.headers.cookie ?? '')[name] ?? '')
      .split('~', PEOPLE)
      .map((entry) => ENTRY.exec(entry))
      .filter((entry) => entry !== null)
      .filter(([, , at]) => Number(at) <= nowSeconds() && nowSeconds() - Number(at) < LIFE);
  return {
    find: (req, username) => entries(req).find((entry) => isTrue(username, entry))?.[1] ?? null,
    mark(req, username) {
      const [key = ''] = keys;
      const nonce = randomBytes(12).toString('base64url');
      const at = String(nowSeconds());
      const others = entries(req).filter((entry) => !isTrue(username, entry));
      const value = [`${nonce}.${at}.${seal(key, username, nonce, at)}`, ...others.map(([entry]) => entry)]
        .slice(0, PEOPLE)
        .join('~');
      return stringifySetCookie({ name, value, maxAge: LIFE, path: '/', httpOnly: true, sameSite: 'lax', secure });
    },
  };
}
