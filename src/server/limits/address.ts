import { isIP, isIPv6 } from 'node:net';
import express from 'express';
import type { IncomingMessage } from 'node:http';

/** A household or machine owns a whole IPv6 /56, so that is what counts as one address (trust.md E8). */
export function addressKey(address: string): string {
  if (!isIPv6(address)) return address;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  if (mapped?.[1] !== undefined) return mapped[1];
  // The URL parser gives the shortest form, from which the groups can be counted.
  const [left = '', right] = new URL(`http://[${address.split('%')[0]}]`).hostname.slice(1, -1).split('::');
  const head = left.split(':').filter(Boolean);
  const tail = (right ?? '').split(':').filter(Boolean);
  const groups =
    right === undefined ? head : [...head, ...Array<string>(8 - head.length - tail.length).fill('0'), ...tail];
  return groups.slice(0, 3).join(':') + ':' + (groups[3] ?? '0').padStart(4, '0').slice(0, 2);
}

/** TRUST_PROXY as Express takes it: a number of hops, a switch, or addresses. */
export function trustProxyOf(value: string): string | number | boolean {
  if (/^\d+$/.test(value)) return Number(value);
  return value === 'true' ? true : value === 'false' ? false : value;
}

/** Which address a request counts for, the same for calls and upgrades. */
export type AddressOf = (req: IncomingMessage) => string;

/**
 * Reads `X-Forwarded-For` from the right, as far as TRUST_PROXY vouches for who wrote it; without the setting what callers
 * say about their own address is nothing.
 */
export function createAddressOf(trustProxy: string | null): AddressOf {
  const app = express();
  if (trustProxy !== null) app.set('trust proxy', trustProxyOf(trustProxy));
  const isTrusted = app.get('trust proxy fn') as (address: string, hop: number) => boolean;
  return (req) => {
    let address = req.socket.remoteAddress ?? '';
    const header = req.headers['x-forwarded-for'];
    if (header === undefined || !isTrusted(address, 0)) return addressKey(address);
    const forwarded = String(header).split(',').reverse();
    for (const [i, entry] of forwarded.entries()) {
      const next = entry.trim();
      // What is no address was written by nobody we trust.
      if (isIP(next) === 0) break;
      address = next;
      if (!isTrusted(address, i + 1)) break;
    }
    return addressKey(address);
  };
}
