import { randomInt } from 'node:crypto';
import { Secret, TOTP } from 'otpauth';

/** What every authenticator app can do (RFC 6238 with the defaults of RFC 4226): SHA-1, six digits, half a minute. */
const TOTP_KIND = { algorithm: 'SHA1', digits: 6, period: 30 } as const;
/** RFC 4226 §4 R6 recommends 160 bits. */
const SECRET_BYTES = 20;
/** Steps a phone's clock may be off, either way (RFC 6238 §5.2). */
const WINDOW = 1;
const ISSUER = 'StepheyBot Music';

/** A fresh secret in Base32, as apps take it. */
export function newTotpSecret(): string {
  return new Secret({ size: SECRET_BYTES }).base32;
}

const totpOf = (secret: string, label = ''): TOTP =>
  new TOTP({ ...TOTP_KIND, issuer: ISSUER, label, secret: Secret.fromBase32(secret) });

/** The address by which an app takes the secret up, e.g. from a picture. */
export function totpUri(secret: string, username: string): string {
  return totpOf(secret, username).toString();
}

/** The time step (half minutes since the epoch) a code belongs to; null for a wrong code or one of another time. */
export function totpStepOf(secret: string, code: string, nowMs: number): number | null {
  const totp = totpOf(secret);
  const delta = totp.validate({ token: code, timestamp: nowMs, window: WINDOW });
  return delta === null ? null : totp.counter({ timestamp: nowMs }) + delta;
}

/** A code as somebody types it (`123 456`), cut to its digits; null when it is no code of an app. */
export function readTotpCode(typed: string): string | null {
  const digits = typed.replace(/[\s-]/g, '');
  return /^\d{6}$/.test(digits) ? digits : null;
}

/** Letters and digits that are not taken for each other: no 0 and o, no 1, i and l. */
const ALPHABET = 'abcdefghjkmnpqrstuvwxyz23456789';
const GROUPS = 4;
const GROUP_LENGTH = 4;
export const RECOVERY_CODES = 10;

/** A recovery code in the form it is shown: four groups of four, 79 bits. */
export function newRecoveryCode(): string {
  const group = () => Array.from({ length: GROUP_LENGTH }, () => ALPHABET[randomInt(ALPHABET.length)]).join('');
  return Array.from({ length: GROUPS }, group).join('-');
}

/** A recovery code as somebody types it, in the one form that is hashed; null when it cannot be one. */
export function readRecoveryCode(typed: string): string | null {
  const plain = typed.toLowerCase().replace(/[\s-]/g, '');
  const isOne = plain.length === GROUPS * GROUP_LENGTH && [...plain].every((letter) => ALPHABET.includes(letter));
  return isOne ? plain : null;
}
