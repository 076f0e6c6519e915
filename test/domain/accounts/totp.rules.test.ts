import { Secret, TOTP } from 'otpauth';
import { expect, test } from 'vitest';
import {
  newRecoveryCode,
  newTotpSecret,
  readRecoveryCode,
  readTotpCode,
  totpStepOf,
  totpUri,
} from '#domain/accounts/totp.rules.ts';

/** The SHA-1 secret of RFC 6238, appendix B, whose codes have eight digits: ours are their last six. */
const RFC_SECRET = Secret.fromUTF8('12345678901234567890').base32;

test.each([
  [59, '287082', 1],
  [1111111109, '081804', 37037036],
  [1111111111, '050471', 37037037],
  [1234567890, '005924', 41152263],
  [2000000000, '279037', 66666666],
  [20000000000, '353130', 666666666],
])('[ID80] at %d s the code of the RFC is %s', (seconds, code, step) => {
  expect(totpStepOf(RFC_SECRET, code, seconds * 1000)).toBe(step);
});

test('[ID80] a clock may be one step off, not two, and a code names its own step', () => {
  const secret = newTotpSecret();
  const step = 50_000_000;
  const code = new TOTP({ secret: Secret.fromBase32(secret) }).generate({ timestamp: step * 30_000 });
  const seen = [-2, -1, 0, 1, 2].map((off) => totpStepOf(secret, code, (step + off) * 30_000 + 29_999));
  expect(seen).toEqual([null, step, step, step, null]);
  expect(totpStepOf(secret, '000000' === code ? '000001' : '000000', step * 30_000)).toBeNull();
});

test('[ID80] secrets have 160 bits and the address is the one apps read', () => {
  const secret = newTotpSecret();
  expect(secret).toMatch(/^[A-Z2-7]{32}$/);
  expect(newTotpSecret()).not.toBe(secret);
  const uri = new URL(totpUri(secret, 'Ána/B'));
  expect(uri.href).toContain('otpauth://totp/StepheyBot%20Music:%C3%81na%2FB?');
  expect(Object.fromEntries(uri.searchParams)).toEqual({
    issuer: 'StepheyBot Music',
    secret,
    algorithm: 'SHA1',
    digits: '6',
    period: '30',
  });
});

test.each([
  ['123456', '123456'],
  [' 123 456 ', '123456'],
  ['123-456', '123456'],
  ['12345', null],
  ['1234567', null],
  ['１２３４５６', null],
  ['abcdef', null],
  ['', null],
])('[ID80] %j is read as the code %s', (typed, code) => expect(readTotpCode(typed)).toBe(code));

test('[ID81] a recovery code has more than 50 bits, no letters that look alike, and is read however it is typed', () => {
  const codes = Array.from({ length: 500 }, newRecoveryCode);
  expect(new Set(codes).size).toBe(500);
  for (const code of codes) expect(code).toMatch(/^([a-hj-km-np-z2-9]{4}-){3}[a-hj-km-np-z2-9]{4}$/);
  // Every letter of the alphabet is used: 16 of 31 are 79 bits.
  expect(new Set(codes.join('').replaceAll('-', '')).size).toBe(31);
  const [code = ''] = codes;
  const plain = code.replaceAll('-', '');
  for (const typed of [
    code,
    code.toUpperCase(),
    plain,
    ` ${code.replaceAll('-', ' ')} `,
    plain.replace(/../g, '$& '),
  ]) {
    expect(readRecoveryCode(typed)).toBe(plain);
  }
  for (const typed of ['', plain.slice(1), `${plain}a`, `${plain.slice(1)}0`, `${plain.slice(1)}é`, '123456']) {
    expect(readRecoveryCode(typed)).toBeNull();
  }
});
