import { describe, expect, test } from 'vitest';
import { createAddressOf } from '#server/limits/address.ts';
import type { IncomingMessage } from 'node:http';

const request = (remoteAddress: string, forwarded?: string) =>
  ({
    socket: { remoteAddress },
    headers: forwarded === undefined ? {} : { 'x-forwarded-for': forwarded },
  }) as unknown as IncomingMessage;

describe('[HT10] which address a caller counts for', () => {
  test.each<[string | null, string, string | undefined, string]>([
    // Without TRUST_PROXY nobody is believed.
    [null, '203.0.113.9', undefined, '203.0.113.9'],
    [null, '203.0.113.9', '198.51.100.1', '203.0.113.9'],
    [null, '127.0.0.1', '198.51.100.1', '127.0.0.1'],
    ['false', '127.0.0.1', '198.51.100.1', '127.0.0.1'],
    // One proxy: the last entry is its word, what stands before is the caller's.
    ['1', '127.0.0.1', '198.51.100.1', '198.51.100.1'],
    ['1', '127.0.0.1', '10.9.9.9, 198.51.100.1', '198.51.100.1'],
    ['1', '127.0.0.1', undefined, '127.0.0.1'],
    ['2', '127.0.0.1', '10.9.9.9, 198.51.100.1, 192.0.2.7', '198.51.100.1'],
    ['loopback', '127.0.0.1', '10.9.9.9, 198.51.100.1', '198.51.100.1'],
    ['loopback', '203.0.113.9', '198.51.100.1', '203.0.113.9'],
    ['loopback', '::1', '198.51.100.1', '198.51.100.1'],
    ['10.0.0.0/8', '10.0.0.2', '198.51.100.1, 10.0.0.3', '198.51.100.1'],
    ['true', '127.0.0.1', '198.51.100.1, 192.0.2.7', '198.51.100.1'],
    // What is no address was not written by a proxy.
    ['1', '127.0.0.1', 'evil', '127.0.0.1'],
    ['1', '127.0.0.1', '', '127.0.0.1'],
    ['1', '127.0.0.1', '198.51.100.1, ', '127.0.0.1'],
    ['1', '127.0.0.1', `${'x'.repeat(5000)}`, '127.0.0.1'],
    // One household has a whole /56.
    ['1', '127.0.0.1', '2001:db8:1:2ff::1', '2001:db8:1:02'],
    ['1', '127.0.0.1', '2001:db8:1:2aa:ffff::9', '2001:db8:1:02'],
    [null, '2001:db8:1:3ff::1', undefined, '2001:db8:1:03'],
    [null, '::ffff:203.0.113.9', undefined, '203.0.113.9'],
  ])('TRUST_PROXY %s, from %s saying %s: %s', (trustProxy, from, forwarded, key) => {
    expect(createAddressOf(trustProxy)(request(from, forwarded))).toBe(key);
  });
});
