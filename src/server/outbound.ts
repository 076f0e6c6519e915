/**
 * The one way out: every request this server makes to another goes through here. It asks for https, gives up after a
 * time and a size, and never lets an address that a user gave reach into the private network.
 */
import { lookup } from 'node:dns/promises';
import http from 'node:http';
import https from 'node:https';
import { BlockList, isIP } from 'node:net';
import { isLoopbackHost } from './config.ts';
import type { LookupAddress } from 'node:dns';
import type { IncomingMessage } from 'node:http';
import type { LookupFunction } from 'node:net';

const TIMEOUT_MS = 5000;
const MAX_BYTES = 5 * 1024 * 1024;
/** More than this many hops is a loop or a game. */
const MAX_REDIRECTS = 3;

export interface OutboundRules {
  /** An address an administrator set, such as `OIDC_ISSUER`: it may be in the private network. */
  trusted?: boolean;
  /** Plain http is taken elsewhere than on loopback too (`OIDC_INSECURE`). Only with `trusted`. */
  insecure?: boolean;
  /** How many redirects to follow, at most 3; each hop is checked anew. Default 0: a redirect is the answer. */
  redirects?: number;
  timeoutMs?: number;
  maxBytes?: number;
  /** Finds a name's addresses; tests put a lying one here. */
  resolve?: (host: string) => Promise<LookupAddress[]>;
}

export interface OutboundInit {
  method?: string | undefined;
  headers?: ConstructorParameters<typeof Headers>[0];
  body?: unknown;
  signal?: AbortSignal | null | undefined;
  redirect?: string | undefined;
}

export type OutboundFetch = (url: string | URL, init?: OutboundInit) => Promise<Response>;

/** The request was not made, or not finished: refused by our rules, unreachable, too slow or too large. */
export class OutboundError extends Error {
  override readonly name = 'OutboundError';
}

/** IANA special-purpose registries (RFC 6890): what is not the public internet. Mapped IPv4 is checked as IPv4. */
const NOT_PUBLIC_V4 = new BlockList();
for (const [net, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
] as const) {
  NOT_PUBLIC_V4.addSubnet(net, prefix, 'ipv4');
}
/** Of IPv6 only global unicast is public, without documentation, and without the ranges that carry an IPv4 address inside. */
const PUBLIC_V6 = new BlockList();
PUBLIC_V6.addSubnet('2000::', 3, 'ipv6');
const NOT_PUBLIC_V6 = new BlockList();
NOT_PUBLIC_V6.addSubnet('2001::', 23, 'ipv6');
NOT_PUBLIC_V6.addSubnet('2001:db8::', 32, 'ipv6');
NOT_PUBLIC_V6.addSubnet('2002::', 16, 'ipv6');
NOT_PUBLIC_V6.addSubnet('3fff::', 20, 'ipv6');

/** Whether an address belongs to the public internet. */
export function isPublicAddress(address: string): boolean {
  const version = isIP(address);
  if (version === 4) return !NOT_PUBLIC_V4.check(address, 'ipv4');
  if (version === 6) return PUBLIC_V6.check(address, 'ipv6') && !NOT_PUBLIC_V6.check(address, 'ipv6');
  return false;
}

const hostOf = (url: URL): string => url.hostname.replace(/^\[|\]$/g, '');

/** The address to connect to, resolved once: what was checked is what is used, whatever the name says a moment later. */
async function pin(url: URL, rules: OutboundRules): Promise<LookupAddress | null> {
  const isTrusted = rules.trusted === true;
  if (url.username !== '' || url.password !== '')
    throw new OutboundError('an address with a password in it is not called');
  const isPlain = url.protocol === 'http:';
  if (url.protocol !== 'https:' && !isPlain) throw new OutboundError(`${url.protocol} is not called`);
  if (isPlain && !(isTrusted && (isLoopbackHost(url.hostname) || rules.insecure === true))) {
    throw new OutboundError('plain http is not called');
  }
  if (isTrusted) return null;
  const resolve = rules.resolve ?? ((host: string) => lookup(host, { all: true }));
  const addresses = await resolve(hostOf(url)).catch((cause: unknown) => {
    throw new OutboundError(`${url.host} has no address`, { cause });
  });
  const [first] = addresses;
  if (first === undefined || addresses.some(({ address }) => !isPublicAddress(address))) {
    throw new OutboundError(`${url.host} is not on the public internet`);
  }
  return first;
}

/** A `lookup` that knows one answer; Node asks for one address or for all, depending on its version of happy eyeballs. */
function alwaysAt(pinned: LookupAddress): LookupFunction {
  return (_host, options, done) => {
    if (options.all === true) done(null, [pinned]);
    else done(null, pinned.address, pinned.family);
  };
}

async function read(message: IncomingMessage, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of message as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) throw new OutboundError(`the answer is larger than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Uint8Array.from(Buffer.concat(chunks));
}

async function toBody(body: unknown): Promise<Buffer | null> {
  if (body === undefined || body === null) return null;
  // Response reads everything fetch takes as a body: text, bytes, form fields, streams.
  return Buffer.from(await new Response(body as ConstructorParameters<typeof Response>[0]).arrayBuffer());
}

async function once(url: URL, init: OutboundInit, body: Buffer | null, rules: OutboundRules): Promise<Response> {
  const pinned = await pin(url, rules);
  const headers = new Headers(init.headers);
  if (init.body instanceof URLSearchParams && !headers.has('content-type')) {
    headers.set('content-type', 'application/x-www-form-urlencoded;charset=UTF-8');
  }
  // Bytes as they come: the cap is on what is kept, and nothing can swell while being unpacked.
  headers.set('accept-encoding', 'identity');
  if (body !== null) headers.set('content-length', String(body.length));
  const tooLate = AbortSignal.timeout(rules.timeoutMs ?? TIMEOUT_MS);
  const signal = init.signal ? AbortSignal.any([init.signal, tooLate]) : tooLate;
  try {
    const message = await new Promise<IncomingMessage>((resolve, reject) => {
      const request = (url.protocol === 'https:' ? https : http).request(
        url,
        {
          method: init.method ?? 'GET',
          headers: Object.fromEntries(headers),
          signal,
          agent: false,
          ...(pinned === null ? {} : { lookup: alwaysAt(pinned) }),
        },
        resolve,
      );
      request.on('error', reject);
      request.end(body ?? undefined);
    });
    const bytes = await read(message, rules.maxBytes ?? MAX_BYTES);
    const status = message.statusCode ?? 0;
    const answerHeaders = new Headers();
    for (const [name, values] of Object.entries(message.headersDistinct)) {
      for (const value of values ?? []) answerHeaders.append(name, value);
    }
    const isEmpty = status === 204 || status === 205 || status === 304;
    return new Response(isEmpty ? null : bytes, {
      status,
      statusText: message.statusMessage ?? '',
      headers: answerHeaders,
    });
  } catch (error) {
    if (error instanceof OutboundError) throw error;
    throw new OutboundError(
      tooLate.aborted ? `${url.host} did not answer in time` : `${url.host} could not be reached`,
      {
        cause: error,
      },
    );
  }
}

/**
 * A fetch under these rules, fit for `openid-client` and `jose`.
 * It rejects with `OutboundError` when the request is refused, unreachable, too slow or too large.
 */
export function outbound(rules: OutboundRules = {}): OutboundFetch {
  const allowed = Math.min(rules.redirects ?? 0, MAX_REDIRECTS);
  return async (input, init = {}) => {
    let url = new URL(input);
    let hopRules = rules;
    const body = await toBody(init.body);
    for (let hop = 0; ; hop++) {
      const answer = await once(url, init, body, hopRules);
      const location = answer.headers.get('location');
      if (hop >= allowed || location === null || ![301, 302, 303, 307, 308].includes(answer.status)) return answer;
      if ((init.method ?? 'GET') !== 'GET') throw new OutboundError('only a GET follows redirects');
      const next = URL.parse(location, url.href);
      if (next === null) throw new OutboundError('the redirect leads nowhere');
      // Trust was given to the address that was set, not to wherever it points.
      if (next.origin !== url.origin) {
        hopRules = { ...hopRules, trusted: false };
        init = { ...init, headers: {} };
      }
      url = next;
    }
  };
}
