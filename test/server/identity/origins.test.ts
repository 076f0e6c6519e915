import { describe, expect, test } from 'vitest';
import { canonicalAddress, isOwnRequest, safeReturnTo } from '#server/identity/origins.ts';
import { ownOrigins } from '#server/config.ts';
import type { Door } from '#server/identity/origins.ts';
import type { IncomingMessage } from 'node:http';

const OWN = 'http://127.0.0.1:3000';
const origins = new Set(ownOrigins(OWN));
const request = (headers: Record<string, string>, more: object = {}) =>
  ({ headers, method: 'POST', ...more }) as unknown as IncomingMessage;

describe('whose page a request comes from', () => {
  const cases: [Door, Record<string, string>, boolean][] = [
    ['http', { origin: OWN }, true],
    ['http', { origin: 'http://localhost:3000' }, true],
    ['http', { origin: 'http://[::1]:3000' }, true],
    ['http', { origin: OWN, 'sec-fetch-site': 'same-origin' }, true],
    ['http', { 'sec-fetch-site': 'same-origin' }, true],
    ['http', { 'sec-fetch-site': 'none' }, true],
    ['http', { origin: 'null', 'sec-fetch-site': 'same-origin' }, true],
    ['http', {}, false],
    ['http', { origin: 'null' }, false],
    ['http', { origin: 'null', 'sec-fetch-site': 'cross-site' }, false],
    ['http', { 'sec-fetch-site': 'cross-site' }, false],
    ['http', { 'sec-fetch-site': 'same-site' }, false],
    ['http', { origin: OWN, 'sec-fetch-site': 'cross-site' }, false],
    ['http', { origin: 'http://localhost:5173', 'sec-fetch-site': 'same-site' }, false],
    ['http', { origin: 'https://evil.example' }, false],
    ['http', { origin: 'http://127.0.0.1:3000.evil.example' }, false],
    ['http', { origin: 'http://127.0.0.1' }, false],
    ['http', { origin: 'https://127.0.0.1:3000' }, false],
    ['http', { origin: '' }, false],
    ['upgrade', { origin: OWN }, true],
    ['upgrade', { origin: 'http://localhost:3000', 'sec-fetch-site': 'same-origin' }, true],
    ['upgrade', {}, false],
    ['upgrade', { origin: 'null' }, false],
    ['upgrade', { origin: 'null', 'sec-fetch-site': 'same-origin' }, false],
    ['upgrade', { 'sec-fetch-site': 'same-origin' }, false],
    ['upgrade', { origin: 'https://evil.example' }, false],
    ['upgrade', { origin: OWN, 'sec-fetch-site': 'cross-site' }, false],
  ];
  test.each(cases)('[ID50] %s with %j: own %s', (door, headers, own) => {
    expect(isOwnRequest(request(headers), (origin) => origins.has(origin), door)).toBe(own);
  });
});

test.each([
  ['/', '/'],
  ['/playlists/abc?x=1#y', '/playlists/abc?x=1#y'],
  ['/a//b', '/a//b'],
  ['/%0d%0aset-cookie:x', '/%0d%0aset-cookie:x'],
  ['/ünder', '/%C3%BCnder'],
  ['//evil.example', '/'],
  ['/\\evil.example', '/'],
  ['\\\\evil.example', '/'],
  ['/\t/evil.example', '/'],
  ['/\n/evil.example', '/'],
  ['/x\r\nset-cookie: a=b', '/'],
  ['/x\\y', '/'],
  ['https://evil.example', '/'],
  ['javascript:alert(1)', '/'],
  ['evil.example', '/'],
  ['', '/'],
  [undefined, '/'],
  [['/a', '/b'], '/'],
  [`/${'x'.repeat(3000)}`, '/'],
])('[ID51] return_to %j leads to %s', (value, path) => expect(safeReturnTo(value)).toBe(path));

test('[ID51] a path that climbs into another host stays here', () => {
  for (const value of ['/..//evil.example', '/.//evil.example', '/a/..//evil.example']) {
    expect(new URL(safeReturnTo(value), OWN).origin).toBe(OWN);
  }
});

test.each([
  ['localhost:3000', OWN, `${OWN}/x?y`],
  ['[::1]:3000', OWN, `${OWN}/x?y`],
  ['127.0.0.1:3000', OWN, null],
  ['evil.example', OWN, null],
  ['localhost:3000', 'https://music.example.org', null],
  ['', OWN, null],
])('[ID9] Host %s with the public address %s goes to %s', (host, publicUrl, to) => {
  expect(canonicalAddress(request({ host }, { originalUrl: '/x?y' }), publicUrl)).toBe(to);
});
