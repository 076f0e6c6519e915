import { describe, expect, test } from 'vitest';
import { canonicalAddress, isOwnRequest, requireNoTokenInAddress, safeReturnTo } from '#server/identity/origins.ts';
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
  ['/?next=https://evil.example', '/?next=https://evil.example'],
  ['/@evil.example', '/@evil.example'],
  ['/https://evil.example', '/https://evil.example'],
  ['/%5cevil.example', '/%5cevil.example'],
  ['/%2fevil.example', '/%2fevil.example'],
  ['/..', '/'],
  ['//evil.example', '/'],
  ['///evil.example', '/'],
  ['////evil.example', '/'],
  ['//evil.example/%2e%2e', '/'],
  ['/\t\\evil.example', '/'],
  ['/\u0000/evil.example', '/'],
  ['/\u0085/evil.example', '/'],
  [' /evil', '/'],
  [' //evil.example', '/'],
  ['\t//evil.example', '/'],
  ['JaVaScRiPt:alert(1)', '/'],
  ['data:text/html,x', '/'],
  ['%0d%0aset-cookie:x', '/'],
  ['%2f%2fevil.example', '/'],
  ['\uFF0F\uFF0Fevil.example', '/'],
  ['http:evil.example', '/'],
  ['?x', '/'],
  ['#x', '/'],
  ['./x', '/'],
  ['*', '/'],
  [{ toString: (): string => '//evil.example' }, '/'],
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
  const climbers = [
    '/..//evil.example',
    '/.//evil.example',
    '/a/..//evil.example',
    '/%2e%2e//evil.example',
    '/a/%2e%2e//evil.example',
  ];
  for (const value of [
    ...climbers,
    '/.%2e//evil.example',
    '/..\u2028//evil.example',
    '/\u2028/evil.example',
    '/x/../..//evil.example',
  ]) {
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

test.each([
  ['/yjs/x?token=a', true],
  ['/socket.io/?EIO=4&access_token=a', true],
  ['/yjs/x?ID_TOKEN=a', true],
  ['/yjs/x?%74oken=a', true],
  ['/yjs/x?ticket=a', false],
  ['/yjs/token=a', false],
  ['/yjs/x?mytoken=a', false],
  ['/', false],
])('[GW13] %s holds a token: %s', (url, holds) => {
  const ask = () => requireNoTokenInAddress(request({}, { url }));
  if (holds) expect(ask).toThrow('A token does not belong in an address');
  else ask();
});
