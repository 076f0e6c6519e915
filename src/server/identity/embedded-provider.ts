import { findActiveLocalAccount } from '#domain/accounts/accounts.queries.ts';
import { foldUsername } from '#domain/accounts/accounts.rules.ts';
import { warmUpPasswordHash } from '#domain/accounts/password-hash.ts';
import { oidcAdapter } from './oidc-adapter.ts';
import { PAGE_HEADERS, messagePage } from './pages.ts';
import type { Ctx } from '#domain/context.ts';
import type { ProviderKeys } from './keys.ts';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Provider } from 'oidc-provider';

export const EMBEDDED_CLIENT_ID = 'stepheybot-music';
const SCOPE = 'openid profile email';
/** Resource indicators are addresses (RFC 8707); this one names our API and is never called. */
const API_RESOURCE = 'urn:stepheybot:api';

/** Lifetimes in seconds. */
const LIFE = {
  accessToken: 300,
  authorizationCode: 60,
  idToken: 300,
  interaction: 3600,
  /** How long a browser that signed in is let in again without a password; our own sessions end on their own terms. */
  session: 14 * 24 * 3600,
};

/** The embedded OpenID provider: mounted at `/oidc`, its people are our `local_accounts`. */
export interface EmbeddedProvider {
  /** Loaded by the first sign-in: people stay signed in for weeks, and an idle server does without it. */
  provider(): Promise<Provider>;
  issuer: string;
  /** What seals our own marks in browsers, too: the first seals, all open. */
  cookieKeys: readonly string[];
  /** Serves everything below `/oidc` that is not one of our pages. */
  handle(req: IncomingMessage, res: ServerResponse): Promise<void>;
}

interface EmbeddedOptions {
  publicUrl: string;
  audience: string;
  redirectUri: string;
  keys: ProviderKeys;
}

/**
 * The provider, with nothing but the code flow with PKCE S256 for our one confidential client: no development
 * pages, no registration, no other grant. Consent is implied, since the client is the server itself.
 */
export function createEmbeddedProvider(ctx: Ctx, options: EmbeddedOptions): EmbeddedProvider {
  const issuer = `${options.publicUrl}/oidc`;
  let built: Promise<{ provider: Provider; callback: ReturnType<Provider['callback']> }> | null = null;
  const build = () => {
    built ??= buildProvider(ctx, issuer, options).then((provider) => ({ provider, callback: provider.callback() }));
    return built;
  };
  return {
    issuer,
    cookieKeys: options.keys.cookieKeys,
    provider: async () => (await build()).provider,
    handle: async (req, res) => (await build()).callback(req, res),
  };
}

async function buildProvider(ctx: Ctx, issuer: string, options: EmbeddedOptions): Promise<Provider> {
  const { Provider: OidcProvider, interactionPolicy } = await import('oidc-provider');
  // In the background: the first unknown name must cost no more time than the next.
  warmUpPasswordHash().catch((error: unknown) => ctx.log.error('passwords cannot be hashed', {}, error));
  const { Check, base } = interactionPolicy;
  /** The usual questions, and one more: somebody else was asked for than who this browser is signed in as. */
  const policy = () => {
    const prompts = base();
    prompts.get('login')?.checks.add(
      new Check('login_hint', 'another person was asked for', async ({ oidc }) => {
        const { session, params, result } = oidc;
        const hint = params?.login_hint;
        // Whoever has just signed in has answered, under whatever name.
        if (typeof hint !== 'string' || session?.accountId === undefined || result?.login !== undefined) return false;
        const account = await findActiveLocalAccount(ctx.db, session.accountId);
        return account === null || foldUsername(account.username) !== foldUsername(hint);
      }),
    );
    return prompts;
  };
  const provider: Provider = new OidcProvider(issuer, {
    adapter: oidcAdapter(ctx),
    jwks: { keys: options.keys.signing as never },
    clients: [
      {
        client_id: EMBEDDED_CLIENT_ID,
        client_secret: options.keys.clientSecret,
        client_name: 'StepheyBot Music',
        redirect_uris: [options.redirectUri],
        grant_types: ['authorization_code'],
        response_types: ['code'],
        token_endpoint_auth_method: 'client_secret_basic',
        // A browser let in again without a password must not count as a fresh sign-in.
        require_auth_time: true,
      },
    ],
    clientAuthMethods: ['client_secret_basic'],
    responseTypes: ['code'],
    scopes: SCOPE.split(' '),
    claims: {
      openid: ['sub', 'amr'],
      profile: ['name', 'preferred_username'],
      email: ['email'],
      sid: null,
      auth_time: null,
    },
    // Our client reads names from the ID token; there is no userinfo endpoint to ask.
    conformIdTokenClaims: false,
    subjectTypes: ['public'],
    pkce: { required: () => true },
    cookies: {
      names: { session: 'sbm_op_session', interaction: 'sbm_op_interaction', resume: 'sbm_op_resume' },
      keys: options.keys.cookieKeys,
      long: { httpOnly: true, sameSite: 'lax', signed: true, path: '/oidc' },
      short: { httpOnly: true, sameSite: 'lax', signed: true },
    },
    ttl: {
      AccessToken: LIFE.accessToken,
      AuthorizationCode: LIFE.authorizationCode,
      IdToken: LIFE.idToken,
      Interaction: LIFE.interaction,
      Session: LIFE.session,
      Grant: LIFE.session,
    },
    features: {
      devInteractions: { enabled: false },
      userinfo: { enabled: false },
      rpInitiatedLogout: { enabled: false },
      pushedAuthorizationRequests: { enabled: false },
      dPoP: { enabled: false },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => API_RESOURCE,
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({
          scope: SCOPE,
          audience: options.audience,
          accessTokenFormat: 'jwt',
          accessTokenTTL: LIFE.accessToken,
          jwt: { sign: { alg: 'RS256' } },
        }),
      },
    },
    interactions: { url: (_ctx, interaction) => `/oidc/interaction/${interaction.uid}`, policy: policy() },
    async findAccount(_ctx, id) {
      const account = await findActiveLocalAccount(ctx.db, id);
      if (account === null) return undefined;
      return {
        accountId: id,
        claims: () => ({
          sub: id,
          preferred_username: account.username,
          name: account.display_name ?? account.username,
          ...(account.email === null ? {} : { email: account.email }),
        }),
      };
    },
    async extraTokenClaims(_ctx, token) {
      if (token.kind !== 'AccessToken') return undefined;
      const account = await findActiveLocalAccount(ctx.db, token.accountId);
      if (account === null) return undefined;
      return {
        preferred_username: account.username,
        name: account.display_name ?? account.username,
        ...(account.email === null ? {} : { email: account.email }),
        realm_access: { roles: [account.role] },
        ...(token.sessionUid === undefined ? {} : { sid: token.sessionUid }),
      };
    },
    async loadExistingGrant({ oidc }) {
      const { client, session } = oidc;
      if (client === undefined || session?.accountId === undefined) return undefined;
      const known = session.grantIdFor(client.clientId);
      const existing = known === undefined ? undefined : await provider.Grant.find(known);
      if (existing !== undefined) return existing;
      const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
      grant.addOIDCScope(SCOPE);
      grant.addResourceScope(API_RESOURCE, SCOPE);
      await grant.save();
      return grant;
    },
    renderError(koa, out) {
      const page = messagePage({
        title: 'Sign-in did not work',
        text:
          koa.status >= 500
            ? 'The server made a mistake while signing you in.'
            : 'This sign-in cannot go on: it may be too old, or was opened in another window.',
        code: out.error,
        action: { href: '/api/v1/auth/login', label: 'Try again' },
      });
      // The provider still adds its cookies after this, so the page is handed over, not sent.
      koa.set({ ...PAGE_HEADERS });
      koa.body = page;
    },
  });
  // Addresses and cookie security follow PUBLIC_URL, never what a request or a proxy says about itself (trust.md E8).
  provider.proxy = true;
  provider.on('server_error', (_ctx, error) => ctx.log.error('the embedded sign-in failed', {}, error));
  return provider;
}

/** Makes a request look as it was sent: to the public address. The provider builds its own addresses from these. */
export function pinPublicAddress(req: IncomingMessage, publicUrl: string): void {
  const { protocol, host } = new URL(publicUrl);
  req.headers['x-forwarded-proto'] = protocol.slice(0, -1);
  req.headers['x-forwarded-host'] = host;
}
