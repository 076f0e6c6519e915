/** Access tokens that no door may take, each bad in one way. */
import { SignJWT, UnsecuredJWT, exportSPKI, generateKeyPair, importJWK } from 'jose';
import type { IssuedPerson, TestIssuer } from './issuer.ts';

const now = () => Math.floor(Date.now() / 1000);

/** Longer than Node takes a header block to be (16 KiB): by a header these are 431 before anybody looks at them. */
export const TOO_LONG_FOR_A_HEADER = new Set(['17 KiB', '40 KiB']);

/** Makers of bad tokens by what is wrong with them, of an issuer that may be started later. */
export function badTokens(issuerOf: () => TestIssuer, person: IssuedPerson): Record<string, () => Promise<string>> {
  const publishedKey = async () => {
    const { keys } = (await (await fetch(`${issuerOf().url}/jwks`)).json()) as { keys: [Record<string, string>] };
    return keys[0];
  };
  return {
    'alg none': async () =>
      new UnsecuredJWT({ azp: 'stepheybot-music' })
        .setIssuer(issuerOf().url)
        .setSubject('s')
        .setAudience('stepheybot-music')
        .setIssuedAt()
        .setExpirationTime('5m')
        .encode(),
    'HS256 with the public key as secret': async () => {
      const key = await publishedKey();
      const pem = await exportSPKI((await importJWK({ ...key }, 'RS256', { extractable: true })) as never);
      return issuerOf().issueAccessToken(person, { header: { alg: 'HS256' }, key: new TextEncoder().encode(pem) });
    },
    HS512: () => issuerOf().issueAccessToken(person, { header: { alg: 'HS512' }, key: new Uint8Array(64) }),
    'another key under a known kid': async () =>
      issuerOf().issueAccessToken(person, { key: (await generateKeyPair('RS256')).privateKey }),
    'RS512, not on the list': async () =>
      issuerOf().issueAccessToken(person, {
        header: { alg: 'RS512' },
        key: (await generateKeyPair('RS512')).privateKey,
      }),
    'an unknown kid': () => issuerOf().issueAccessToken(person, { header: { kid: 'nobody' } }),
    'a jwk of its own in the header': async () => {
      const { privateKey } = await generateKeyPair('RS256');
      return issuerOf().issueAccessToken(person, {
        header: { jwk: await publishedKey(), kid: undefined },
        key: privateKey,
      });
    },
    'a jku elsewhere': () =>
      issuerOf().issueAccessToken(person, { header: { jku: 'https://evil.example/jwks', kid: 'evil' } }),
    'an x5u elsewhere': () =>
      issuerOf().issueAccessToken(person, { header: { x5u: 'https://evil.example/x', kid: 'evil' } }),
    'an unknown critical header': async () => {
      const [head, ...rest] = (await issuerOf().issueAccessToken(person)).split('.');
      const header = JSON.parse(Buffer.from(head ?? '', 'base64url').toString()) as object;
      return [
        Buffer.from(JSON.stringify({ ...header, crit: ['exotic'], exotic: 1 })).toString('base64url'),
        ...rest,
      ].join('.');
    },
    'another issuer': () => issuerOf().issueAccessToken(person, { claims: { iss: 'https://evil.example' } }),
    'the issuer with a slash more': () =>
      issuerOf().issueAccessToken(person, { claims: { iss: `${issuerOf().url}/` } }),
    'no issuer': () => issuerOf().issueAccessToken(person, { claims: { iss: undefined } }),
    'audience account only': () => issuerOf().issueAccessToken(person, { aud: 'account' }),
    'no audience': () => issuerOf().issueAccessToken(person, { claims: { aud: undefined } }),
    'an empty list of audiences': () => issuerOf().issueAccessToken(person, { aud: [] }),
    'azp of another client': () => issuerOf().issueAccessToken(person, { azp: 'other' }),
    'azp right, client_id of another': () => issuerOf().issueAccessToken(person, { claims: { client_id: 'other' } }),
    'neither azp nor client_id': () => issuerOf().issueAccessToken(person, { claims: { azp: undefined } }),
    'azp as a list': () => issuerOf().issueAccessToken(person, { claims: { azp: ['stepheybot-music'] } }),
    'no exp': () => issuerOf().issueAccessToken(person, { claims: { exp: undefined } }),
    'exp as text': () => issuerOf().issueAccessToken(person, { claims: { exp: String(now() + 300) } }),
    'ended 6 s ago': () => issuerOf().issueAccessToken(person, { iat: now() - 300, exp: now() - 6 }),
    'ended 50 s ago': () => issuerOf().issueAccessToken(person, { iat: now() - 300, exp: now() - 50 }),
    'no iat': () => issuerOf().issueAccessToken(person, { claims: { iat: undefined } }),
    'issued 70 s ahead': () => issuerOf().issueAccessToken(person, { iat: now() + 70, exp: now() + 400 }),
    'nbf 70 s ahead': () => issuerOf().issueAccessToken(person, { claims: { nbf: now() + 70 } }),
    'no subject': () => issuerOf().issueAccessToken(person, { claims: { sub: undefined } }),
    'an empty subject': () => issuerOf().issueAccessToken(person, { claims: { sub: '' } }),
    'a subject that is no text': () => issuerOf().issueAccessToken(person, { claims: { sub: 7 } }),
    'header typ missing': () => issuerOf().issueAccessToken(person, { header: { typ: undefined } }),
    'header typ logout+jwt': () => issuerOf().issueAccessToken(person, { header: { typ: 'logout+jwt' } }),
    'header typ dpop+jwt': () => issuerOf().issueAccessToken(person, { header: { typ: 'dpop+jwt' } }),
    'an ID token by payload typ': () => issuerOf().issueAccessToken(person, { claims: { typ: 'ID' } }),
    'a refresh token by payload typ': () => issuerOf().issueAccessToken(person, { claims: { typ: 'Refresh' } }),
    'an ID token by nonce': () => issuerOf().issueAccessToken(person, { claims: { nonce: 'n' } }),
    'an ID token by at_hash': () => issuerOf().issueAccessToken(person, { claims: { at_hash: 'h' } }),
    'a logout token by events': () => issuerOf().issueAccessToken(person, { claims: { events: {} } }),
    'a changed payload': async () => {
      const [head, , signature] = (await issuerOf().issueAccessToken(person)).split('.');
      return [
        head,
        Buffer.from(JSON.stringify({ sub: 'root', azp: 'stepheybot-music' })).toString('base64url'),
        signature,
      ].join('.');
    },
    'no signature': async () => (await issuerOf().issueAccessToken(person)).replace(/\.[^.]+$/, '.'),
    'four parts': async () => `${await issuerOf().issueAccessToken(person)}.x`,
    'five parts, as encrypted ones have': async () => 'a.b.c.d.e',
    'no token at all': async () => 'undefined',
    'signed by somebody else entirely': async () =>
      new SignJWT({ azp: 'stepheybot-music' })
        .setProtectedHeader({ alg: 'RS256', typ: 'JWT' })
        .setIssuer(issuerOf().url)
        .setSubject('s')
        .setAudience('stepheybot-music')
        .setIssuedAt()
        .setExpirationTime('5m')
        .sign((await generateKeyPair('RS256')).privateKey),
    'the issuer in capitals': () =>
      issuerOf().issueAccessToken(person, { claims: { iss: issuerOf().url.toUpperCase() } }),
    'audience with a space more': () => issuerOf().issueAccessToken(person, { aud: 'stepheybot-music ' }),
    'exp in milliseconds, long ago in seconds': () =>
      issuerOf().issueAccessToken(person, { claims: { exp: -Date.now() } }),
    'exp beyond numbers': () => issuerOf().issueAccessToken(person, { claims: { exp: '1e999' } }),
    'iat in milliseconds': () => issuerOf().issueAccessToken(person, { claims: { iat: Date.now() } }),
    'nbf as text': () => issuerOf().issueAccessToken(person, { claims: { nbf: 'yesterday' } }),
    'a kid that climbs': () => issuerOf().issueAccessToken(person, { header: { kid: '../../jwks' } }),
    'a kid of 4 KiB': () => issuerOf().issueAccessToken(person, { header: { kid: 'k'.repeat(4096) } }),
    'a subject of 300 letters': () => issuerOf().issueAccessToken(person, { claims: { sub: 's'.repeat(300) } }),
    'a payload that is no object': async () => {
      const [head, , signature] = (await issuerOf().issueAccessToken(person)).split('.');
      return [head, Buffer.from('"sub-ana"').toString('base64url'), signature].join('.');
    },
    '17 KiB': () => issuerOf().issueAccessToken(person, { claims: { padding: 'x'.repeat(13_000) } }),
    '40 KiB': () => issuerOf().issueAccessToken(person, { claims: { padding: 'x'.repeat(30_000) } }),
  };
}
