import { createSession, endSession } from '#domain/accounts/sessions.ts';
import { LOCAL_ISSUER, ensureUser } from '#domain/accounts/ensure-user.ts';
import { ATTEMPT_LIFE, beginLoginAttempt, takeLoginAttempt } from '#domain/accounts/login-attempts.ts';
import { roleFromClaims } from '#domain/accounts/accounts.rules.ts';
import { logout as logoutEndpoint } from '#contract/accounts.ts';
import { PROBLEMS } from '#contract/problems.ts';
import { authorize } from '#domain/authorize.ts';
import { DomainError } from '#domain/errors.ts';
import { epochSeconds } from '#domain/ports.ts';
import { sendProblem } from '../http/problem.ts';
import { hashSecret } from '../ids.ts';
import { canonicalAddress, safeReturnTo } from './origins.ts';
import { messagePage, sendPageTo } from './pages.ts';
import { SignInRefusedError } from './provider-client.ts';
import type { Actor, Ctx } from '#domain/context.ts';
import type { Cookies } from './cookies.ts';
import type { ProviderClient, SignedIn } from './provider-client.ts';
import type { AccessClaims } from './verify-token.ts';
import type { Request, Response, Router } from 'express';

export const LOGIN_PATH = '/api/v1/auth/login';
export const CALLBACK_PATH = '/api/v1/auth/callback';
const LOGOUT_PATH = `/api/v1${logoutEndpoint.path}`;

interface Parts {
  ctx: Ctx;
  client: ProviderClient;
  cookies: Cookies;
  publicUrl: string;
  /** What `users.issuer` holds for this provider's people. */
  userIssuer: string;
  verifyToken(token: string): Promise<AccessClaims>;
  authenticate(req: Request): Promise<Actor>;
}

/** Where a browser begins and ends being somebody: `/auth/login`, `/auth/callback`, `/auth/logout`. */
export function mountSignIn(router: Router, parts: Parts): void {
  const begin = (req: Request, res: Response) => withPages(parts, req, res, () => login(parts, req, res));
  router.get(LOGIN_PATH, begin);
  router.post(LOGIN_PATH, begin);
  router.get(CALLBACK_PATH, (req, res) => withPages(parts, req, res, () => callback(parts, req, res)));
  router.post(LOGOUT_PATH, (req, res) => logout(parts, req, res));
}

async function login({ ctx, client, cookies, publicUrl }: Parts, req: Request, res: Response): Promise<void> {
  const canonical = canonicalAddress(req, publicUrl);
  if (canonical !== null) return res.redirect(303, canonical);
  const hint = req.query.login_hint;
  const attempt = { state: ctx.ids.secret(), nonce: ctx.ids.secret(), code_verifier: ctx.ids.secret() };
  const address = await client.authorizationUrl(attempt, typeof hint === 'string' ? hint.slice(0, 200) : null);
  // Two tabs may sign in at once, so a mark that is there is used again.
  const browser = cookies.readBrowser(req) ?? ctx.ids.secret();
  await beginLoginAttempt(ctx, {
    state_hash: hashSecret(attempt.state),
    browser_hash: hashSecret(browser),
    nonce: attempt.nonce,
    code_verifier: attempt.code_verifier,
    return_to: safeReturnTo(req.query.return_to),
  });
  res.append('set-cookie', cookies.browser(browser, ATTEMPT_LIFE));
  res.setHeader('cache-control', 'no-store');
  res.redirect(303, address);
}

/** The sign-in a callback names is not under way in this browser. */
class NoAttemptError extends Error {}

async function callback(parts: Parts, req: Request, res: Response): Promise<void> {
  const { ctx, client, cookies, publicUrl } = parts;
  const state = req.query.state;
  const browser = cookies.readBrowser(req);
  if (typeof state !== 'string' || browser === null) throw new NoAttemptError();
  const attempt = await takeLoginAttempt(ctx, { state_hash: hashSecret(state), browser_hash: hashSecret(browser) });
  if (attempt === null) throw new NoAttemptError();
  const signedIn = await client.finish(new URL(req.originalUrl, publicUrl), { ...attempt, state });
  const secret = await openSession(parts, req, signedIn);
  res.append('set-cookie', cookies.session(secret));
  res.append('set-cookie', cookies.noBrowser());
  res.setHeader('cache-control', 'no-store');
  res.redirect(303, attempt.return_to);
}

/** Makes sure of the person and gives this browser a new session; whatever it had before ends. */
async function openSession(parts: Parts, req: Request, { subject, claims, accessToken }: SignedIn): Promise<string> {
  const { ctx, cookies, userIssuer } = parts;
  const access = await readAccessToken(parts, accessToken, subject);
  const role = roleFromClaims((access?.realm_access ?? claims.realm_access)?.roles);
  const isLocal = userIssuer === LOCAL_ISSUER;
  const user = await ensureUser(ctx, {
    issuer: userIssuer,
    subject,
    username: claims.preferred_username ?? access?.preferred_username,
    email: claims.email ?? access?.email,
    name: claims.name ?? access?.name,
    local_role: isLocal && role !== null ? role : undefined,
    provider_role: isLocal ? undefined : role,
    is_sign_in: true,
  });
  const secret = ctx.ids.secret();
  const before = cookies.readSession(req);
  await createSession(ctx, {
    user_id: user.id,
    secret_hash: hashSecret(secret),
    provider_sid: claims.sid ?? access?.sid ?? null,
    // Roles of our own accounts are ours, and count from the moment they change.
    realm_role: isLocal ? null : role,
    device: (req.headers['user-agent'] ?? 'unknown').slice(0, 200),
    // A provider that does not say when the person proved themselves has them do so now, as far as anybody knows.
    auth_time: claims.auth_time ?? access?.auth_time ?? epochSeconds(ctx.clock),
    replaces_secret_hash: before === null ? null : hashSecret(before),
  });
  return secret;
}

/** Keycloak puts roles into the access token alone. One we cannot read (opaque, lightweight) simply tells nothing. */
async function readAccessToken(
  { ctx, verifyToken }: Parts,
  token: string,
  subject: string,
): Promise<AccessClaims | null> {
  try {
    const claims = await verifyToken(token);
    return claims.sub === subject ? claims : null;
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    ctx.log.warn('the access token of a sign-in carries no roles we can read', { code: error.code });
    return null;
  }
}

async function logout({ ctx, cookies, authenticate }: Parts, req: Request, res: Response): Promise<void> {
  try {
    const actor = await authenticate(req);
    authorize(actor, logoutEndpoint);
    if (actor.credential.kind !== 'session') {
      throw new DomainError('unprocessable', 'An access token ends with its own time; sign out where it came from.');
    }
    await endSession(ctx, actor.credential.session_id);
    res.append('set-cookie', cookies.noSession());
    res.setHeader('cache-control', 'private, no-store');
    res.status(204).end();
  } catch (error) {
    // A cookie that stands for nothing any more is cleared too.
    if (error instanceof DomainError && error.code === 'unauthenticated') res.append('set-cookie', cookies.noSession());
    sendProblem(ctx, res, error);
  }
}

/** Runs a step of signing in; whatever goes wrong becomes a page a person can read, with a way to try again. */
async function withPages({ ctx }: Parts, req: Request, res: Response, step: () => Promise<void>): Promise<void> {
  try {
    await step();
  } catch (error) {
    if (req.accepts(['html', 'json']) === 'json') return sendProblem(ctx, res, asDomainError(error));
    const shown = asDomainError(error);
    if (shown instanceof DomainError) {
      if (error instanceof SignInRefusedError) ctx.log.warn('a sign-in was refused', { reason: error.reason });
      if (shown.retryAfter !== undefined) res.setHeader('retry-after', String(shown.retryAfter));
      const { status, title } = PROBLEMS[shown.code];
      sendPageTo(
        res,
        status,
        messagePage({ title, text: shown.message, code: shown.code, action: { href: LOGIN_PATH, label: 'Try again' } }),
      );
      return;
    }
    ctx.log.error('a sign-in failed', {}, error);
    const { status, title } = PROBLEMS.internal;
    sendPageTo(
      res,
      status,
      messagePage({
        title,
        text: 'Signing in failed because of a mistake in the server.',
        action: { href: LOGIN_PATH, label: 'Try again' },
      }),
    );
  }
}

function asDomainError(error: unknown): unknown {
  if (error instanceof NoAttemptError) {
    return new DomainError(
      'malformed',
      'This sign-in was finished already, took too long, or began in another browser.',
    );
  }
  if (error instanceof SignInRefusedError) {
    return new DomainError(
      'malformed',
      error.reason === 'access_denied'
        ? 'The sign-in was cancelled at the sign-in service.'
        : 'The sign-in service did not confirm who you are.',
    );
  }
  return error;
}
