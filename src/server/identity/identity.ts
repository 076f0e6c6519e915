import express from 'express';
import { createLocalJWKSet } from 'jose';
import { PROBLEMS } from '#contract/problems.ts';
import { createLocalAccount } from '#domain/accounts/create-local-account.ts';
import { LOCAL_ISSUER } from '#domain/accounts/ensure-user.ts';
import { offerFirstAccount } from '#domain/accounts/first-account.ts';
import { noteSlowedSignIns } from '#domain/accounts/note-slowed-sign-ins.ts';
import { sweepExpired } from '#domain/accounts/sessions.ts';
import { standingsOf } from '#domain/accounts/standing.ts';
import { DomainError } from '#domain/errors.ts';
import { isLoopbackHost, ownOrigins } from '../config.ts';
import { hashSecret } from '../ids.ts';
import { outbound } from '../outbound.ts';
import { mountAccountPages } from './account-pages.ts';
import { createAuthenticator } from './authenticate.ts';
import { createCookies } from './cookies.ts';
import { EMBEDDED_CLIENT_ID, createEmbeddedProvider, pinPublicAddress } from './embedded-provider.ts';
import { createKeyKeeper } from './jwks.ts';
import { loadKeys, publicKeys } from './keys.ts';
import { createLinkLimit, createLoginBackoff } from './login-backoff.ts';
import { mountBackchannelLogout } from './backchannel-logout.ts';
import { STYLESHEET, STYLESHEET_PATH, messagePage, sendPageTo } from './pages.ts';
import { createProviderClient } from './provider-client.ts';
import { createRemembered } from './remembered.ts';
import { createSessionKeeper } from './session-keeper.ts';
import { CALLBACK_PATH, mountSignIn } from './sign-in.ts';
import { createTokenVerifier } from './verify-token.ts';
import type { NewLocalAccount } from '#domain/accounts/create-local-account.ts';
import type { Actor, Ctx } from '#domain/context.ts';
import type { Guard } from '../limits/guard.ts';
import type { LimiterFactory } from '../limits/limiters.ts';
import type { OutboundFetch } from '../outbound.ts';
import type { Door } from './origins.ts';
import type { EmbeddedProvider } from './embedded-provider.ts';
import type { LoginBackoff } from './login-backoff.ts';
import type { IncomingMessage } from 'node:http';
import type { Router } from 'express';
import type { JWTVerifyGetKey } from 'jose';

/** How often what has run out is removed. */
const SWEEP_MS = 5 * 60_000;

export interface IdentityConfig {
  /** As browsers see us, without a trailing slash. */
  publicUrl: string;
  /** More origins that count as our own, beside the public one and, on loopback, its other names. */
  ownOrigins: readonly string[];
  /** Where this process listens, as it can reach itself; asked when needed, since the port may be known late. */
  listenUrl(): string;
  dataDir: string;
  /** Null or absent: the embedded provider. */
  oidcIssuer?: string | null;
  oidcClientId: string;
  oidcClientSecret?: string | null;
  oidcAudience: string;
  oidcAllowedClients: readonly string[];
  oidcInsecure: boolean;
}

/** Whose request is this? The one place that answers, for every door. */
export interface Identity {
  /** Mount at the root: `/oidc`, `/setup`, `/invite`, `/reset`, and of `/api/v1/auth` what browsers and the provider call. */
  router: Router;
  /**
   * A Bearer token if there is one, else the session cookie; a cookie on an unsafe call or an upgrade needs our own origin.
   * @throws DomainError `unauthenticated`, `account_disabled`, `foreign_origin`, `provider_unavailable`, `too_many`.
   */
  authenticate(req: IncomingMessage, options?: { door: Door }): Promise<Actor>;
  /** `req`: what the token came with, for who may try how often. @throws DomainError as `authenticate`. */
  authenticateToken(token: string, req?: IncomingMessage): Promise<Actor>;
  /** Stands before a look at any other credential, such as a ticket. */
  guard: Guard;
  isOwnOrigin(origin: string): boolean;
  /** Slows guessing at passwords, wherever one is asked for. */
  backoff: LoginBackoff;
  /** The origin of an outside provider, where our pages may send a browser by a form; null with the embedded one. */
  providerOrigin: string | null;
  /** Renews those of these sessions that an outside provider is to be asked about by now. */
  renewSessions(session_ids: readonly string[]): Promise<void>;
  /** Whether a caller of a moment ago may still be served. */
  isActorAlive(actor: Actor): Promise<boolean>;
  /** How callers stand now: null for who may not be served any more, else with the role that counts today. */
  standings(actors: readonly Actor[]): Promise<(Actor | null)[]>;
  /** Rises whenever anybody's access ends or changes; who was let in before is to be looked at again. */
  readonly revision: number;
  /** Something about this person was changed by another process. */
  forget(user_id: string): void;
  /** A fresh one-time link to make the first account; null when there is an administrator, or accounts live elsewhere. */
  setupLink(): Promise<string | null>;
  /** @throws DomainError `invalid`, `username_taken`, `unprocessable` with an outside provider. */
  createLocalAccount(input: NewLocalAccount): Promise<{ user_id: string; username: string }>;
  close(): Promise<void>;
}

interface Source {
  userIssuer: string;
  issuer: string;
  clientId: string;
  clientSecret: string | null;
  fetch: OutboundFetch;
  /** Null: fetched from the provider. */
  keys: JWTVerifyGetKey | null;
  embedded: EmbeddedProvider | null;
}

/** Calls addressed to our own provider go to where we listen: the public address need not be reachable from inside. */
function toOurselves(config: IdentityConfig, fetch: OutboundFetch): OutboundFetch {
  return (input, init) => {
    const url = new URL(input);
    return fetch(
      url.origin === new URL(config.publicUrl).origin ? new URL(url.pathname + url.search, config.listenUrl()) : url,
      init,
    );
  };
}

async function openSource(
  ctx: Ctx,
  config: IdentityConfig,
  redirectUri: string,
  fetch?: OutboundFetch,
): Promise<Source> {
  const trusted = fetch ?? outbound({ trusted: true, insecure: config.oidcInsecure });
  if (config.oidcIssuer) {
    return {
      userIssuer: config.oidcIssuer,
      issuer: config.oidcIssuer,
      clientId: config.oidcClientId,
      clientSecret: config.oidcClientSecret ?? null,
      fetch: trusted,
      keys: null,
      embedded: null,
    };
  }
  const keys = await loadKeys(config.dataDir);
  const embedded = createEmbeddedProvider(ctx, {
    publicUrl: config.publicUrl,
    audience: config.oidcAudience,
    redirectUri,
    keys,
  });
  return {
    userIssuer: LOCAL_ISSUER,
    issuer: embedded.issuer,
    clientId: EMBEDDED_CLIENT_ID,
    clientSecret: keys.clientSecret,
    // Plain http, but only ever to ourselves.
    fetch: toOurselves(config, fetch ?? outbound({ trusted: true, insecure: true })),
    keys: createLocalJWKSet(publicKeys(keys)),
    embedded,
  };
}

/** Joins the parts of signing in, with the embedded provider or an outside one. An outside one may be down at this moment. */
export async function createIdentity(options: {
  ctx: Ctx;
  config: IdentityConfig;
  fetch?: OutboundFetch;
  /** Without one, anybody may try as often as they like. */
  guard?: Guard;
  newLimiter?: LimiterFactory;
}): Promise<Identity> {
  const { ctx, config, guard = (_req, _credential, find) => find() } = options;
  const { publicUrl } = config;
  const redirectUri = publicUrl + CALLBACK_PATH;
  const source = await openSource(ctx, config, redirectUri, options.fetch);
  const cookies = createCookies(publicUrl);
  const origins = new Set([...ownOrigins(publicUrl), ...config.ownOrigins]);
  const isOwnOrigin = (origin: string) => origins.has(origin);

  const issuerUrl = new URL(source.issuer);
  const client = createProviderClient({
    issuer: source.issuer,
    clientId: source.clientId,
    clientSecret: source.clientSecret,
    redirectUri,
    allowHttp:
      issuerUrl.protocol === 'http:' &&
      (source.embedded !== null || config.oidcInsecure || isLoopbackHost(issuerUrl.hostname)),
    fetch: source.fetch,
    clock: ctx.clock,
    log: ctx.log,
  });
  const keys = source.keys ?? createKeyKeeper({ fetchKeys: () => client.fetchKeys(), clock: ctx.clock, log: ctx.log });
  const verifyToken = createTokenVerifier({
    issuer: source.issuer,
    audience: config.oidcAudience,
    // Our own provider has one client, whatever an outside one would have been called.
    allowedClients: source.embedded === null ? config.oidcAllowedClients : [EMBEDDED_CLIENT_ID],
    keys,
    clock: ctx.clock,
    log: ctx.log,
  });
  // Our own provider ends its sessions in our own database.
  const keeper = source.embedded === null ? createSessionKeeper({ ctx, client, verifyToken }) : null;
  const remembered = createRemembered(ctx.events);
  const { authenticate, authenticateToken } = createAuthenticator({
    ctx,
    cookies,
    remembered,
    userIssuer: source.userIssuer,
    hasProviderRoles: source.embedded === null,
    renew: keeper === null ? null : keeper.renew,
    isOwnOrigin,
    verifyToken,
  });

  const guarded = (req: IncomingMessage, door: Door): Promise<Actor> =>
    guard(req, req.headers.authorization ?? req.headers.cookie, () => authenticate(req, door));

  const router = express.Router({ caseSensitive: true });
  router.get(
    STYLESHEET_PATH,
    (_req, res) => void res.type('css').set('cache-control', 'public, max-age=3600').send(STYLESHEET),
  );
  mountSignIn(router, {
    ctx,
    client,
    cookies,
    publicUrl,
    userIssuer: source.userIssuer,
    verifyToken,
    authenticate: (req) => guarded(req, 'http'),
  });
  mountBackchannelLogout(
    router,
    ctx,
    source.embedded === null ? { issuer: source.issuer, clientId: source.clientId, keys, clock: ctx.clock } : null,
  );
  const backoff = createLoginBackoff(
    // In the background: a known name must not take longer to be refused than an unknown one.
    (username) =>
      void noteSlowedSignIns(ctx, username).catch((error: unknown) =>
        ctx.log.error('slowed sign-ins could not be written down', {}, error),
      ),
    options.newLimiter,
  );
  const { embedded } = source;
  if (embedded !== null) {
    mountAccountPages(router, {
      ctx,
      embedded,
      backoff,
      linkLimit: createLinkLimit(options.newLimiter),
      publicUrl,
      isOwnOrigin,
    });
    router.use('/oidc', (req, res, next) => {
      pinPublicAddress(req, publicUrl);
      embedded.handle(req, res).catch(next);
    });
    router.use(['/oidc', '/setup', '/invite', '/reset'], ((error, _req, res, next) => {
      if (res.headersSent) return next(error);
      ctx.log.error('a sign-in page failed', {}, error);
      sendPageTo(res, 500, messagePage({ title: PROBLEMS.internal.title, text: 'Try again in a moment.' }));
    }) satisfies express.ErrorRequestHandler);
  }

  const sweep = () =>
    void sweepExpired(ctx).catch((error: unknown) =>
      ctx.log.warn('sweeping sessions failed', { reason: String(error) }),
    );
  const timer = setInterval(sweep, SWEEP_MS);
  timer.unref();

  return {
    router,
    authenticate: (req, { door } = { door: 'http' }) => guarded(req, door),
    authenticateToken: (token, req) =>
      req === undefined ? authenticateToken(token) : guard(req, token, () => authenticateToken(token)),
    guard,
    isOwnOrigin,
    backoff,
    get revision() {
      return remembered.revision;
    },
    forget: (user_id) => remembered.forget(user_id),
    standings: (actors) => standingsOf(ctx, actors),
    providerOrigin: embedded === null ? issuerUrl.origin : null,
    renewSessions: async (session_ids) => keeper?.renewAll(session_ids),
    async isActorAlive(actor) {
      const [standing] = await standingsOf(ctx, [actor]);
      return standing !== null && standing !== undefined;
    },
    async setupLink() {
      if (embedded === null) return null;
      const token = ctx.ids.secret();
      return (await offerFirstAccount(ctx, hashSecret(token))) ? `${publicUrl}/setup?token=${token}` : null;
    },
    async createLocalAccount(input) {
      if (embedded === null) {
        throw new DomainError(
          'unprocessable',
          'Accounts of this server are made at its OpenID provider (OIDC_ISSUER).',
        );
      }
      return createLocalAccount(ctx, input);
    },
    async close() {
      clearInterval(timer);
      await keeper?.close();
    },
  };
}
