import { createSession, endSession } from '#domain/accounts/sessions.ts';
import { LOCAL_ISSUER, ensureUser } from '#domain/accounts/ensure-user.ts';
import { openProviderTokens, sealProviderTokens } from '#domain/accounts/provider-sessions.ts';
import { ATTEMPT_LIFE, beginLoginAttempt, takeLoginAttempt } from '#domain/accounts/login-attempts.ts';
import { roleFromClaims } from '#domain/accounts/accounts.rules.ts';
import { logout as logoutEndpoint } from '#contract/accounts.ts';
import { PROBLEMS } from '#contract/problems.ts';
import { authorize } from '#domain/authorize.ts';
import { DomainError } from '#domain/errors.ts';
import { epochSeconds } from '#domain/ports.ts';
import { sendProblem } from '../http/problem.ts';
import { hashSecret } from '../ids.ts';
import { readAccessToken } from './access-token.ts';
import { canonicalAddress, safeReturnTo } from './origins.ts';
import { messagePage, sendPageTo } from './pages.ts';
import { atMost } from './patience.ts';
import { SignInRefusedError } from './provider-client.ts';
import { renewalDueAt } from './session-keeper.ts';
import type { ProviderTokens } from '#domain/accounts/provider-sessions.ts';
import type { Actor, Ctx } from '#domain/context.ts';
import type { Cookies } from './cookies.ts';
import type { ProviderClient, SignedIn } from './provider-client.ts';
import type { AccessClaims } from './verify-token.ts';
import type { Request, Response, Router } from 'express';

export const LOGIN_PATH = '/api/v1/auth/login';
export const CALLBACK_PATH = '/api/v1/auth/callback';
const LOGOUT_PATH = `/api/v1${logoutEndpoint.path}`;
/** Where a browser that signed out ends up: the client's own page. */
const SIGNED_OUT_PATH = '/login';
/** How long a sign-out waits for the provider; ours is over by then. */
const PATIENCE_MS = 2_000;

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
  const address = await client.authorizationUrl(
    attempt,
    typeof hint === 'string' ? hint.slice(0, 200) : null,
    req.query.prompt === 'login',
  );
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
async function openSession(parts: Parts, req: Request, signedIn: SignedIn): Promise<string> {
  const { ctx, cookies, userIssuer } = parts;
  const { subject, claims } = signedIn;
  const access = await readAccessToken(parts, signedIn.accessToken, subject);
  if (access === 'unavailable') {
    // Without its roles a guest would be let in as more.
    throw new DomainError('provider_unavailable', 'The sign-in service cannot be reached right now. Try again.', {
      retryAfter: 10,
    });
  }
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
    ...(isLocal ? {} : keptTokens(ctx, user.id, signedIn, access)),
  });
  return secret;
}

/** What an outside provider's session needs to be renewed and ended, sealed. */
function keptTokens(ctx: Ctx, user_id: string, signedIn: SignedIn, access: AccessClaims | null) {
  return {
    ...sealProviderTokens(ctx.secrets, user_id, {
      refresh_token: signedIn.refreshToken,
      id_token: signedIn.idToken,
    }),
    refresh_due_at: signedIn.refreshToken === null ? null : renewalDueAt(ctx, access, signedIn.expiresIn),
  };
}

/**
 * Ends the session here, then at an outside provider: a browser's form is sent on there with 303 and comes back to `/login`;
 * a program gets 204 once the provider was told, or has let us wait 2 s.
 */
async function logout(parts: Parts, req: Request, res: Response): Promise<void> {
  const { ctx, cookies, publicUrl, authenticate } = parts;
  const isForm = req.accepts(['json', 'html']) === 'html';
  res.setHeader('cache-control', 'private, no-store');
  try {
    const actor = await authenticate(req);
    authorize(actor, logoutEndpoint);
    const { user_id, credential } = actor;
    if (credential.kind !== 'session') {
      throw new DomainError('unprocessable', 'An access token ends with its own time; sign out where it came from.');
    }
    const tokens = await tokensToLeaveWith(parts, { session_id: credential.session_id, user_id });
    await endSession(ctx, credential.session_id);
    res.append('set-cookie', cookies.noSession());
    if (isForm) return res.redirect(303, await addressToLeaveBy(parts, tokens));
    await atMost(PATIENCE_MS, leaveProvider(parts, tokens));
    res.status(204).end();
  } catch (error) {
    const isOver = error instanceof DomainError && error.code === 'unauthenticated';
    // A cookie that stands for nothing any more is cleared too.
    if (isOver) res.append('set-cookie', cookies.noSession());
    if (isOver && isForm) return res.redirect(303, publicUrl + SIGNED_OUT_PATH);
    if (isForm) sendFailure(ctx, res, error);
    else sendProblem(ctx, res, error);
  }
}

/** What the provider's session is ended with; nothing there is to stop the end of ours. */
async function tokensToLeaveWith(
  { ctx, userIssuer }: Parts,
  session: { session_id: string; user_id: string },
): Promise<ProviderTokens | null> {
  if (userIssuer === LOCAL_ISSUER) return null;
  try {
    return await openProviderTokens(ctx, session);
  } catch (error) {
    ctx.log.error('the stored tokens of a session cannot be read', {}, error);
    return null;
  }
}

async function addressToLeaveBy({ ctx, client, publicUrl }: Parts, tokens: ProviderTokens | null): Promise<string> {
  const home = publicUrl + SIGNED_OUT_PATH;
  if (tokens === null) return home;
  try {
    const leaving = { idToken: tokens.id_token, returnTo: home, state: ctx.ids.secret() };
    return (await client.endSessionUrl(leaving)) ?? home;
  } catch (error) {
    ctx.log.warn('the sign-in service was not told of a sign-out', { reason: reasonOfFailure(error) });
    return home;
  }
}

/** Ends the provider's session; never rejects. */
async function leaveProvider({ ctx, client }: Parts, tokens: ProviderTokens | null): Promise<void> {
  if (tokens === null || tokens.refresh_token === null) return;
  try {
    await client.endSession(tokens.refresh_token);
  } catch (error) {
    ctx.log.warn('the sign-in service was not told of a sign-out', { reason: reasonOfFailure(error) });
  }
}

function reasonOfFailure(error: unknown): string {
  if (error instanceof SignInRefusedError) return error.reason;
  return error instanceof DomainError ? error.code : error instanceof Error ? error.name : 'unknown';
}

/** Runs a step of signing in; whatever goes wrong becomes a page a person can read, with a way to try again. */
async function withPages({ ctx }: Parts, req: Request, res: Response, step: () => Promise<void>): Promise<void> {
  try {
    await step();
  } catch (error) {
    if (req.accepts(['html', 'json']) === 'json') return sendProblem(ctx, res, asDomainError(error));
    sendFailure(ctx, res, error);
  }
}

/** A page that says what went wrong, with a way to try again. */
function sendFailure(ctx: Ctx, res: Response, error: unknown): void {
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
      text: 'Signing in or out failed because of a mistake in the server.',
      action: { href: LOGIN_PATH, label: 'Try again' },
    }),
  );
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
