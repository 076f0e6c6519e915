import * as openid from 'openid-client';
import { DomainError } from '#domain/errors.ts';
import { OutboundError } from '../outbound.ts';
import { IdentityClaims } from './verify-token.ts';
import type { Clock, Log } from '#domain/ports.ts';
import type { OutboundFetch } from '../outbound.ts';

/** After a failed discovery nobody asks again for this long; sign-in says so meanwhile. */
const DISCOVERY_BRAKE_MS = 5000;
/** Seconds a provider's clock may differ from ours. */
const CLOCK_TOLERANCE_S = 60;
const SCOPE = 'openid profile email';

export interface ProviderClientOptions {
  issuer: string;
  clientId: string;
  clientSecret: string | null;
  redirectUri: string;
  /** Plain http endpoints are taken (loopback, or `OIDC_INSECURE`). */
  allowHttp: boolean;
  fetch: OutboundFetch;
  clock: Clock;
  log: Log;
}

export interface Attempt {
  state: string;
  nonce: string;
  code_verifier: string;
}

export interface SignedIn {
  subject: string;
  claims: IdentityClaims;
  accessToken: string;
}

/** The OpenID provider, seen from our web client. Nothing is asked of it before it is needed. */
export interface ProviderClient {
  /** Where to send the browser. */
  authorizationUrl(attempt: Attempt, loginHint: string | null): Promise<string>;
  /** Turns the callback into who signed in. */
  finish(callback: URL, attempt: Attempt): Promise<SignedIn>;
  /** The provider's public keys, as it answers them. */
  fetchKeys(): Promise<unknown>;
}

/** The sign-in was refused or broken off at the provider, or its answer does not fit; `reason` is fit for the log. */
export class SignInRefusedError extends Error {
  readonly reason: string;
  constructor(reason: string, cause: unknown) {
    super(`sign-in refused: ${reason}`, { cause });
    this.reason = reason;
  }
}

function isUnreachable(error: unknown): boolean {
  for (let at: unknown = error; at instanceof Error; at = at.cause) if (at instanceof OutboundError) return true;
  return false;
}

function unavailable(cause: unknown): DomainError {
  return new DomainError(
    'provider_unavailable',
    'The sign-in service cannot be reached right now. Try again in a moment.',
    {
      retryAfter: Math.ceil(DISCOVERY_BRAKE_MS / 1000),
      cause,
    },
  );
}

/** Makes the client of a provider that may be down at any time: each call fails with `provider_unavailable` and the next may succeed. */
export function createProviderClient(options: ProviderClientOptions): ProviderClient {
  const { clock, log } = options;
  let ready: openid.Configuration | null = null;
  let underWay: Promise<openid.Configuration> | null = null;
  let failedAtMs = Number.NEGATIVE_INFINITY;

  const fetch = async (url: string, init: openid.CustomFetchOptions): Promise<Response> => {
    const answer = await options.fetch(url, init);
    if (answer.status >= 500) throw new OutboundError(`the sign-in service answered ${answer.status}`);
    return answer;
  };

  async function discover(): Promise<openid.Configuration> {
    try {
      return await openid.discovery(
        new URL(options.issuer),
        options.clientId,
        { [openid.clockTolerance]: CLOCK_TOLERANCE_S },
        options.clientSecret === null ? openid.None() : withSecret(options.clientSecret),
        {
          [openid.customFetch]: fetch,
          // The issuer given is the whole issuer; its metadata is at the OpenID place below it.
          algorithm: 'oidc',
          ...(options.allowHttp ? { execute: [openid.allowInsecureRequests] } : {}),
        },
      );
    } catch (error) {
      failedAtMs = clock.nowMs();
      log.warn('the sign-in service cannot be used', { issuer: options.issuer, reason: reasonOf(error) });
      throw unavailable(error);
    }
  }

  async function configuration(): Promise<openid.Configuration> {
    if (ready !== null) return ready;
    if (underWay === null && clock.nowMs() - failedAtMs < DISCOVERY_BRAKE_MS) throw unavailable(undefined);
    underWay ??= discover().finally(() => (underWay = null));
    ready = await underWay;
    return ready;
  }

  return {
    async authorizationUrl(attempt, loginHint) {
      const parameters: Record<string, string> = {
        redirect_uri: options.redirectUri,
        scope: SCOPE,
        state: attempt.state,
        nonce: attempt.nonce,
        code_challenge: await openid.calculatePKCECodeChallenge(attempt.code_verifier),
        code_challenge_method: 'S256',
      };
      if (loginHint !== null) parameters.login_hint = loginHint;
      return openid.buildAuthorizationUrl(await configuration(), parameters).href;
    },

    async finish(callback, attempt) {
      const config = await configuration();
      try {
        const tokens = await openid.authorizationCodeGrant(config, callback, {
          expectedState: attempt.state,
          expectedNonce: attempt.nonce,
          pkceCodeVerifier: attempt.code_verifier,
          idTokenExpected: true,
        });
        const idToken = tokens.claims();
        if (idToken === undefined) throw new Error('no ID token');
        let claims = IdentityClaims.parse(idToken);
        if (claims.preferred_username === undefined && config.serverMetadata().userinfo_endpoint !== undefined) {
          // Many providers keep names out of the ID token of the code flow (OpenID Connect Core §5.4).
          const userinfo = await openid.fetchUserInfo(config, tokens.access_token, idToken.sub);
          claims = { ...IdentityClaims.parse(userinfo), ...dropAbsent(claims) };
        }
        return { subject: idToken.sub, claims, accessToken: tokens.access_token };
      } catch (error) {
        if (isUnreachable(error)) throw unavailable(error);
        throw new SignInRefusedError(reasonOf(error), error);
      }
    },

    async fetchKeys() {
      const { jwks_uri } = (await configuration()).serverMetadata();
      if (jwks_uri === undefined) throw new Error('the provider publishes no keys');
      const answer = await options.fetch(jwks_uri, { headers: { accept: 'application/json' } });
      if (answer.status !== 200) throw new OutboundError(`the keys were answered with ${answer.status}`);
      return answer.json();
    },
  };
}

/** In the form where the provider says it takes that: in the header providers disagree about escaping. */
function withSecret(secret: string): openid.ClientAuth {
  const inForm = openid.ClientSecretPost(secret);
  const inHeader = openid.ClientSecretBasic(secret);
  return (server, client, body, headers) =>
    (server.token_endpoint_auth_methods_supported?.includes('client_secret_post') === true ? inForm : inHeader)(
      server,
      client,
      body,
      headers,
    );
}

function dropAbsent<T extends object>(value: T): Partial<T> {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as Partial<T>;
}

/** An OAuth error code or an error's name: never a message, which may quote what the provider sent. */
function reasonOf(error: unknown): string {
  if (error instanceof openid.AuthorizationResponseError || error instanceof openid.ResponseBodyError)
    return error.error;
  for (let at: unknown = error; at instanceof Error; at = at.cause) if (at instanceof OutboundError) return at.message;
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return error instanceof Error ? error.name : 'unknown';
}
