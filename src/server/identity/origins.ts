import { DomainError } from '#domain/errors.ts';
import { isLoopbackHost } from '../config.ts';
import type { IncomingMessage } from 'node:http';

/** How programs put tokens into addresses, where logs and histories keep them. */
const TOKEN_PARAMETERS = new Set(['token', 'access_token', 'id_token']);

const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Which way a caller came in: an upgrade opens a socket, so it is weighed like a call that changes things. */
export type Door = 'http' | 'upgrade';

const header = (req: IncomingMessage, name: string): string | undefined => {
  const value = req.headers[name];
  return Array.isArray(value) ? value[0] : value;
};

/**
 * Whether a browser request began on a page of ours, by `Origin` and fetch metadata (trust.md A1, A9).
 * A program without either is no browser, and has no business with a cookie.
 */
export function isOwnRequest(req: IncomingMessage, isOwnOrigin: (origin: string) => boolean, door: Door): boolean {
  const origin = header(req, 'origin');
  const site = header(req, 'sec-fetch-site');
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return false;
  if (origin !== undefined && origin !== 'null') return isOwnOrigin(origin);
  // Every browser sends Origin with a WebSocket handshake.
  if (door === 'upgrade') return false;
  // A form posted under `Referrer-Policy: no-referrer` says "null"; the fetch metadata then still tells.
  return origin === 'null' ? site === 'same-origin' : site !== undefined;
}

/** @throws DomainError `foreign_origin` when a cookie came with a call that changes something, from elsewhere. */
export function requireOwnRequest(req: IncomingMessage, isOwnOrigin: (origin: string) => boolean, door: Door): void {
  if (door === 'http' && SAFE_METHODS.has(req.method ?? '')) return;
  if (isOwnRequest(req, isOwnOrigin, door)) return;
  throw new DomainError('foreign_origin', 'A signed-in browser may do this only from a page of this server.');
}

/**
 * A token in an address ends up in logs and in `Referer` (RFC 6750 §2.3), so it is refused there whatever else was sent.
 * @throws DomainError `unauthenticated`
 */
export function requireNoTokenInAddress(req: IncomingMessage): void {
  const names = URL.parse(req.url ?? '/', 'http://own.invalid')?.searchParams.keys() ?? [];
  if (![...names].some((name) => TOKEN_PARAMETERS.has(name.toLowerCase()))) return;
  throw new DomainError(
    'unauthenticated',
    'A token does not belong in an address: send it as a header, or ask for a ticket.',
  );
}

/** Where to go after signing in: a path on this server, or `/` for anything that could lead elsewhere. */
export function safeReturnTo(value: unknown): string {
  if (typeof value !== 'string' || value.length > 2000) return '/';
  // Browsers read a backslash as a slash and drop tabs and line breaks, so both could hide `//host`.
  if (!/^\/(?![/\\])[^\p{Cc}\\]*$/u.test(value)) return '/';
  const url = URL.parse(value, 'http://own.invalid');
  // Resolving `/..//host` leaves `//host`, so the result is looked at again.
  return url !== null && url.origin === 'http://own.invalid' && !url.pathname.startsWith('//')
    ? url.pathname + url.search + url.hash
    : '/';
}

/**
 * The address to go to first when the browser came by another loopback name than the public one: cookies and the
 * provider's redirect belong to one name. Null when it is already right, or not ours to correct.
 */
export function canonicalAddress(req: IncomingMessage & { originalUrl?: string }, publicUrl: string): string | null {
  const wanted = new URL(publicUrl);
  const came = URL.parse(`${wanted.protocol}//${req.headers.host ?? ''}`);
  if (came === null || came.host === wanted.host) return null;
  if (!isLoopbackHost(wanted.hostname) || !isLoopbackHost(came.hostname)) return null;
  const path = req.originalUrl ?? req.url ?? '/';
  return path.startsWith('/') && !path.startsWith('//') ? wanted.origin + path : wanted.origin;
}
