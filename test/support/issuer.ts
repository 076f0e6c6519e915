/** An outside OpenID provider that the tests run themselves: a real HTTP server with one client and whoever is asked for. */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { SignJWT, exportJWK, generateKeyPair } from 'jose';
import type { CryptoKey, JWK, JWTPayload } from 'jose';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface IssuedPerson {
  sub: string;
  username?: string;
  email?: string;
  name?: string;
  roles?: string[];
  sid?: string;
}

interface TokenOverrides {
  header?: Record<string, unknown>;
  /** Replaces or, with undefined, removes claims. */
  claims?: Record<string, unknown>;
  aud?: string | string[];
  azp?: string;
  exp?: number;
  iat?: number;
  /** Signs with another key than the published one, under the same key id. */
  key?: CryptoKey | Uint8Array;
}

type SigningAlg = 'RS256' | 'PS256' | 'ES256' | 'EdDSA';

export interface TestIssuer {
  url: string;
  clientId: string;
  clientSecret: string;
  audience: string;
  /** While true every request is answered with `downStatus`, and without what was asked for. */
  down: boolean;
  downStatus: number;
  /** Milliseconds every answer waits. */
  slow: number;
  /** Who the authorization endpoint signs in, without asking. */
  person: IssuedPerson;
  /** What the authorization endpoint answers instead of a code. */
  authorizationError: string | null;
  /** Claims put into the next ID tokens over the right ones. */
  idTokenClaims: Record<string, unknown>;
  /** Keeps the `iss` parameter of the callback, or lies in it. */
  callbackIssuer: string;
  jwksFetches: number;
  /** Of any kind. */
  requests: number;
  /** Sessions the issuer keeps: by refresh token. It is taken once, as with Keycloak's rotation. */
  sessions: Map<string, IssuedPerson>;
  /** How often a refresh token was sent. */
  refreshes: number;
  /** What a refresh answers with instead of tokens; null: as it should. */
  refreshError: { status: number; error: string } | null;
  /** Refresh tokens that were posted to the end-session endpoint. */
  ended: string[];
  /** While true the keys alone are answered with 503. */
  hidesKeys: boolean;
  /** Whether an end-session endpoint is offered. */
  hasEndSession: boolean;
  /** New signing key; the old one is no longer published. */
  rotate(alg?: SigningAlg): Promise<void>;
  issueAccessToken(person: IssuedPerson, overrides?: TokenOverrides): Promise<string>;
  /** A back-channel logout token as Keycloak makes them. */
  issueLogoutToken(overrides?: TokenOverrides): Promise<string>;
  close(): Promise<void>;
}

interface Code {
  redirect_uri: string;
  nonce: string;
  code_challenge: string;
  person: IssuedPerson;
}

/** Starts an issuer on a free port of the loopback address; `nowMs` is the clock its tokens go by. */
export async function startIssuer(options: { nowMs?: () => number } = {}): Promise<TestIssuer> {
  const nowMs = options.nowMs ?? Date.now;
  const codes = new Map<string, Code>();
  let keyNumber = 0;
  let key: { alg: SigningAlg; kid: string; privateKey: CryptoKey; jwk: JWK };

  const newKey = async (alg: SigningAlg) => {
    const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
    const kid = `key-${++keyNumber}-${randomBytes(4).toString('hex')}`;
    key = { alg, kid, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } };
  };
  await newKey('RS256');

  const seconds = () => Math.floor(nowMs() / 1000);
  const sign = (payload: JWTPayload, header: Record<string, unknown>, signingKey?: CryptoKey | Uint8Array) =>
    new SignJWT(payload)
      .setProtectedHeader({ alg: key.alg, kid: key.kid, ...header })
      .sign(signingKey ?? key.privateKey);
  const present = (fields: Record<string, unknown>) =>
    Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));

  const server = createServer((req, res) => {
    const send = (status: number, body: unknown, headers: Record<string, string> = {}) => {
      res.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
    };
    const answer = async (): Promise<void> => {
      const url = new URL(req.url ?? '/', issuer.url);
      issuer.requests++;
      if (url.pathname === '/jwks') issuer.jwksFetches++;
      if (issuer.slow > 0) await new Promise((resolve) => setTimeout(resolve, issuer.slow));
      if (issuer.down) return send(issuer.downStatus, { error: 'temporarily_unavailable' });
      switch (url.pathname) {
        case '/.well-known/openid-configuration':
          return send(200, {
            issuer: issuer.url,
            authorization_endpoint: `${issuer.url}/auth`,
            token_endpoint: `${issuer.url}/token`,
            ...(issuer.hasEndSession ? { end_session_endpoint: `${issuer.url}/logout` } : {}),
            revocation_endpoint: `${issuer.url}/revoke`,
            token_endpoint_auth_methods_supported: ['client_secret_basic'],
            jwks_uri: `${issuer.url}/jwks`,
            response_types_supported: ['code'],
            subject_types_supported: ['public'],
            id_token_signing_alg_values_supported: ['RS256', 'PS256', 'ES256', 'EdDSA'],
            code_challenge_methods_supported: ['S256'],
            authorization_response_iss_parameter_supported: true,
          });
        case '/jwks':
          if (issuer.hidesKeys) return send(503, { error: 'temporarily_unavailable' });
          return send(200, { keys: [key.jwk] });
        case '/auth':
          return authorize(url.searchParams, send);
        case '/token':
          return token(await formOf(req), req.headers.authorization ?? '', send);
        case '/logout': {
          const form = await formOf(req);
          if (form.get('client_secret') !== issuer.clientSecret) return send(401, { error: 'invalid_client' });
          return end(form.get('refresh_token') ?? '', send, 204);
        }
        case '/revoke':
          return end((await formOf(req)).get('token') ?? '', send, 200);
        default:
          return send(404, { error: 'not_found' });
      }
    };
    answer().catch((error: unknown) => send(500, { error: 'server_error', error_description: String(error) }));
  });
  async function formOf(req: IncomingMessage): Promise<URLSearchParams> {
    let body = '';
    for await (const chunk of req) body += String(chunk);
    return new URLSearchParams(body);
  }

  function end(refresh_token: string, send: Send, status: number): void {
    issuer.ended.push(refresh_token);
    issuer.sessions.delete(refresh_token);
    send(status, null);
  }

  type Send = (status: number, body: unknown, headers?: Record<string, string>) => void;

  function authorize(query: URLSearchParams, send: Send): void {
    const redirect_uri = query.get('redirect_uri') ?? '';
    if (query.get('client_id') !== issuer.clientId || query.get('code_challenge_method') !== 'S256') {
      return send(400, { error: 'invalid_request' });
    }
    const back = new URL(redirect_uri);
    back.searchParams.set('state', query.get('state') ?? '');
    back.searchParams.set('iss', issuer.callbackIssuer);
    if (issuer.authorizationError !== null) back.searchParams.set('error', issuer.authorizationError);
    else {
      const code = randomBytes(16).toString('base64url');
      codes.set(code, {
        redirect_uri,
        nonce: query.get('nonce') ?? '',
        code_challenge: query.get('code_challenge') ?? '',
        person: issuer.person,
      });
      back.searchParams.set('code', code);
    }
    send(303, null, { location: back.href });
  }

  async function token(form: URLSearchParams, authorization: string, send: Send): Promise<void> {
    // RFC 6749 §2.3.1: both halves are form-encoded before they are joined.
    const basic = Buffer.from(authorization.replace(/^Basic /, ''), 'base64')
      .toString()
      .split(':')
      .map(decodeURIComponent);
    if (basic[0] !== issuer.clientId || basic[1] !== issuer.clientSecret) return send(401, { error: 'invalid_client' });
    if (form.get('grant_type') === 'refresh_token') {
      issuer.refreshes++;
      const refresh_token = form.get('refresh_token') ?? '';
      const known = issuer.sessions.get(refresh_token);
      if (issuer.refreshError !== null) return send(issuer.refreshError.status, { error: issuer.refreshError.error });
      if (known === undefined) return send(400, { error: 'invalid_grant' });
      issuer.sessions.delete(refresh_token);
      // Who they are now: names and roles may have changed meanwhile.
      return answerTokens(issuer.person.sub === known.sub ? issuer.person : known, undefined, send);
    }
    const code = codes.get(form.get('code') ?? '');
    codes.delete(form.get('code') ?? '');
    const challenge = createHash('sha256')
      .update(form.get('code_verifier') ?? '')
      .digest('base64url');
    if (code === undefined || challenge !== code.code_challenge || form.get('redirect_uri') !== code.redirect_uri) {
      return send(400, { error: 'invalid_grant' });
    }
    return answerTokens(code.person, code.nonce, send);
  }

  async function answerTokens(person: IssuedPerson, nonce: string | undefined, send: Send): Promise<void> {
    const id_token = await sign(
      present({
        iss: issuer.url,
        sub: person.sub,
        aud: issuer.clientId,
        iat: seconds(),
        exp: seconds() + 300,
        auth_time: seconds(),
        nonce,
        typ: 'ID',
        preferred_username: person.username,
        email: person.email,
        name: person.name,
        sid: person.sid,
        ...issuer.idTokenClaims,
      }),
      { typ: 'JWT' },
    );
    const refresh_token = randomBytes(16).toString('base64url');
    issuer.sessions.set(refresh_token, person);
    const access_token = await issuer.issueAccessToken(person);
    send(200, { access_token, refresh_token, id_token, token_type: 'Bearer', expires_in: 300 });
  }

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  const issuer: TestIssuer = {
    url,
    clientId: 'stepheybot-music',
    clientSecret: randomBytes(16).toString('hex'),
    audience: 'stepheybot-music',
    down: false,
    downStatus: 503,
    slow: 0,
    person: { sub: 'sub-of-ana', username: 'ana', email: 'ana@example.org', name: 'Ana', roles: ['user'] },
    authorizationError: null,
    idTokenClaims: {},
    callbackIssuer: url,
    jwksFetches: 0,
    requests: 0,
    sessions: new Map(),
    refreshes: 0,
    refreshError: null,
    ended: [],
    hidesKeys: false,
    hasEndSession: true,
    rotate: (alg = 'RS256') => newKey(alg),
    issueAccessToken(person, overrides = {}) {
      const iat = overrides.iat ?? seconds();
      const payload = present({
        iss: url,
        sub: person.sub,
        aud: overrides.aud ?? [issuer.audience, 'account'],
        azp: overrides.azp ?? issuer.clientId,
        typ: 'Bearer',
        iat,
        exp: overrides.exp ?? iat + 300,
        jti: randomBytes(8).toString('hex'),
        preferred_username: person.username,
        email: person.email,
        name: person.name,
        sid: person.sid,
        realm_access: person.roles === undefined ? undefined : { roles: person.roles },
        ...overrides.claims,
      });
      return sign(payload, { typ: 'JWT', ...overrides.header }, overrides.key);
    },
    issueLogoutToken(overrides = {}) {
      const iat = overrides.iat ?? seconds();
      const payload = present({
        iss: url,
        sub: issuer.person.sub,
        aud: overrides.aud ?? issuer.clientId,
        iat,
        exp: overrides.exp ?? iat + 120,
        jti: randomBytes(8).toString('hex'),
        sid: issuer.person.sid,
        typ: 'Logout',
        events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
        ...overrides.claims,
      });
      return sign(payload, { typ: 'logout+jwt', ...overrides.header }, overrides.key);
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return issuer;
}
