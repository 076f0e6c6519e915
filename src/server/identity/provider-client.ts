import * as openid from 'openid-client';
import { DomainError } from '#domain/errors.ts';
import { OutboundError } from '../outbound.ts';
import { IdentityClaims } from './verify-token.ts';
import type { Clock, Log } from '#domain/ports.ts';
import type { OutboundFetch, OutboundInit } from '../outbound.ts';

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

/** The tokens of a sign-in or renewal, unread. */
export interface IssuedTokens {
  accessToken: string;
  refreshToken: string | null;
  idToken: string | null;
  /** Seconds the access token lives, if the provider says so. */
  expiresIn: number | null;
}

export interface SignedIn extends IssuedTokens {
  subject: string;
  claims: IdentityClaims;
}

export interface Renewed extends IssuedTokens {
  /** Of the ID token; null when there was none. */
  subject: string | null;
  claims: IdentityClaims;
}

/** The OpenID provider, seen from our web client. Nothing is asked of it before it is needed. */
export interface ProviderClient {
  /** Where to send the browser; with `isAnew` the provider asks for a proof even where it remembers the browser. */
  authorizationUrl(attempt: Attempt, loginHint: string | null, isAnew: boolean): Promise<string>;
  /** Turns the callback into who signed in. */
  finish(callback: URL, attempt: Attempt): Promise<SignedIn>;
  /**
   * Fresh tokens for a session.
   * @throws SessionOverError, DomainError `provider_unavailable`, SignInRefusedError for any other answer
   */
  renew(refreshToken: string): Promise<Renewed>;
  /** Where a browser ends the provider's session too, and comes back from; null when the provider has no such place. */
  endSessionUrl(leaving: { idToken: string | null; returnTo: string; state: string }): Promise<string | null>;
  /**
   * Ends the provider's session without a browser.
   * @throws DomainError `provider_unavailable`, SignInRefusedError
   */
  endSession(refreshToken: string): Promise<void>;
  /** The provider's public keys, as it answers them. */
  fetchKeys(): Promise<unknown>;
}

/** The provider will renew this session no more (RFC 6749 §5.2 `invalid_grant`). */
export class SessionOverError extends Error {}

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

  const fetch = async (url: string, init: OutboundInit): Promise<Response> => {
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
    async authorizationUrl(attempt, loginHint, isAnew) {
      const parameters: Record<string, string> = {
        redirect_uri: options.redirectUri,
        scope: SCOPE,
        state: attempt.state,
        nonce: attempt.nonce,
        code_challenge: await openid.calculatePKCECodeChallenge(attempt.code_verifier),
        code_challenge_method: 'S256',
      };
      if (loginHint !== null) parameters.login_hint = loginHint;
      // OpenID Connect Core §3.1.2.1.
      if (isAnew) parameters.prompt = 'login';
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
        return { subject: idToken.sub, claims, ...issued(tokens) };
      } catch (error) {
        throw asRefusal(error);
      }
    },

    async renew(refreshToken) {
      const config = await configuration();
      try {
        const tokens = await openid.refreshTokenGrant(config, refreshToken);
        const idToken = tokens.claims();
        return { subject: idToken?.sub ?? null, claims: IdentityClaims.parse(idToken ?? {}), ...issued(tokens) };
      } catch (error) {
        if (error instanceof openid.ResponseBodyError && error.error === 'invalid_grant') {
          throw new SessionOverError('the provider ended the session', { cause: error });
        }
        throw asRefusal(error);
      }
    },

    async endSessionUrl({ idToken, returnTo, state }) {
      const config = await configuration();
      if (config.serverMetadata().end_session_endpoint === undefined) return null;
      return openid.buildEndSessionUrl(config, {
        post_logout_redirect_uri: returnTo,
        state,
        // Without it the provider asks the person whether they mean it.
        ...(idToken === null ? {} : { id_token_hint: idToken }),
      }).href;
    },

    async endSession(refreshToken) {
      const config = await configuration();
      const { end_session_endpoint } = config.serverMetadata();
      try {
        if (end_session_endpoint !== undefined && options.clientSecret !== null) {
          // Keycloak's own: a refresh token posted to the end-session endpoint ends its session without a browser.
          const answer = await fetch(end_session_endpoint, {
            method: 'POST',
            headers: { accept: 'application/json' },
            body: new URLSearchParams({
              client_id: options.clientId,
              client_secret: options.clientSecret,
              refresh_token: refreshToken,
            }),
          });
          if (answer.status === 204) return;
        }
        // Elsewhere the best there is: RFC 7009 ends the grant, and with many providers the session.
        await openid.tokenRevocation(config, refreshToken);
      } catch (error) {
        throw asRefusal(error);
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

function issued(tokens: openid.TokenEndpointResponse): IssuedTokens {
  return {
    accessToken: tokens.access_token,
    refreshToken: tokens.refresh_token ?? null,
    idToken: tokens.id_token ?? null,
    expiresIn: tokens.expires_in ?? null,
  };
}

function asRefusal(error: unknown): Error {
  return isUnreachable(error) ? unavailable(error) : new SignInRefusedError(reasonOf(error), error);
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
