import { acceptInvite, findOpenInvite } from '#domain/accounts/accept-invite.ts';
import { createFirstAccount, isFirstAccountOffered } from '#domain/accounts/first-account.ts';
import { resetPassword, usernameOfReset } from '#domain/accounts/password-reset.ts';
import { hashSecret } from '../ids.ts';
import { field, ownForm, queryOf, refusalOf } from './forms.ts';
import { invitePage, messagePage, resetPage, sendPageTo, setupPage } from './pages.ts';
import type { Ctx } from '#domain/context.ts';
import type { LinkLimit } from './login-backoff.ts';
import type { Request, RequestHandler, Response, Router } from 'express';

const SIGN_IN = { href: '/api/v1/auth/login', label: 'Sign in' };

interface Parts {
  ctx: Ctx;
  publicUrl: string;
  isOwnOrigin(origin: string): boolean;
  linkLimit: LinkLimit;
}

/** What one-time links lead to: the first account, an account by invitation, a new password. */
export function mountLinkPages(router: Router, parts: Parts): void {
  const limit = parts.linkLimit;
  const links = { ...parts, limit, readOwnForm: [bounded(limit.take), ...ownForm(parts)] };
  mountSetup(router, links);
  mountInvite(router, links);
  mountReset(router, links);
}

interface Links extends Parts {
  limit: LinkLimit;
  readOwnForm: RequestHandler[];
}

/** Lets a request pass that its address may still make. */
function bounded(check: (address: string) => Promise<void>): RequestHandler {
  return async (req, res, next) => {
    try {
      await check(req.ip ?? '');
    } catch (error) {
      const { status, code, errors } = refusalOf(res, error);
      const text = errors.map(({ message }) => message).join(' ');
      return sendPageTo(res, status, messagePage({ title: 'Too many tries', text, code }));
    }
    next();
  };
}

const toSignIn = (username: string) =>
  `/api/v1/auth/login?${new URLSearchParams({ return_to: '/', login_hint: username })}`;

function newAccountOf(req: Request) {
  return { username: field(req, 'username').trim(), display_name: field(req, 'display_name') };
}

function mountSetup(router: Router, { ctx, limit, readOwnForm }: Links): void {
  const spent = (res: Response) =>
    sendPageTo(
      res,
      404,
      messagePage({
        title: 'This link no longer works',
        text: 'It was used already, or is too old. If no account was made with it, restart the server: it prints a new link.',
        action: SIGN_IN,
      }),
    );

  router.get('/setup', bounded(limit.check), async (req, res) => {
    const token = queryOf(req, 'token');
    if (!(await isFirstAccountOffered(ctx, hashSecret(token)))) return miss(limit, req, () => spent(res));
    sendPageTo(res, 200, setupPage({ token, username: '', display_name: '', errors: [] }));
  });

  router.post('/setup', readOwnForm, async (req: Request, res: Response) => {
    const form = { token: field(req, 'token'), ...newAccountOf(req) };
    try {
      const { username } = await createFirstAccount(ctx, hashSecret(form.token), {
        username: form.username,
        display_name: form.display_name,
        password: field(req, 'password'),
      });
      res.redirect(303, toSignIn(username));
    } catch (error) {
      const { status, code, errors } = refusalOf(res, error);
      if (code === 'not_found') return spent(res);
      sendPageTo(res, status, setupPage({ ...form, errors }));
    }
  });
}

/** Counts a link that does not work against its address, then says so. */
async function miss(limit: LinkLimit, req: Request, say: () => void): Promise<void> {
  await limit.missed(req.ip ?? '');
  say();
}

function mountInvite(router: Router, { ctx, limit, readOwnForm }: Links): void {
  const path = '/invite/:code';
  const spent = (res: Response) =>
    sendPageTo(
      res,
      404,
      messagePage({
        title: 'This invitation no longer works',
        text: 'It was used already, was withdrawn, or is too old. Ask whoever sent it for a new one. If you made your account with it, sign in.',
        action: SIGN_IN,
      }),
    );

  router.get(path, bounded(limit.check), async (req, res) => {
    const code = String(req.params.code);
    const invite = await findOpenInvite(ctx, code);
    if (invite === null) return miss(limit, req, () => spent(res));
    const action = `/invite/${encodeURIComponent(code)}`;
    sendPageTo(res, 200, invitePage({ action, ...invite, username: '', display_name: '', errors: [] }));
  });

  router.post(path, readOwnForm, async (req: Request, res: Response) => {
    const code = String(req.params.code);
    const form = newAccountOf(req);
    try {
      const { username } = await acceptInvite(ctx, code, { ...form, password: field(req, 'password') });
      res.redirect(303, toSignIn(username));
    } catch (error) {
      const { status, code: problem, errors } = refusalOf(res, error);
      const invite = problem === 'not_found' ? null : await findOpenInvite(ctx, code);
      if (invite === null) return spent(res);
      const action = `/invite/${encodeURIComponent(code)}`;
      sendPageTo(res, status, invitePage({ action, ...invite, ...form, errors }));
    }
  });
}

function mountReset(router: Router, { ctx, limit, readOwnForm }: Links): void {
  const spent = (res: Response) =>
    sendPageTo(
      res,
      404,
      messagePage({
        title: 'This link no longer works',
        text: 'It was used already, was replaced by a newer one, or is older than a day. Ask an administrator for a new one, or sign in if you know your password.',
        action: SIGN_IN,
      }),
    );

  router.get('/reset', bounded(limit.check), async (req, res) => {
    const token = queryOf(req, 'token');
    const username = await usernameOfReset(ctx, token);
    if (username === null) return miss(limit, req, () => spent(res));
    sendPageTo(res, 200, resetPage({ token, username, errors: [] }));
  });

  router.post('/reset', readOwnForm, async (req: Request, res: Response) => {
    const token = field(req, 'token');
    try {
      const { username } = await resetPassword(ctx, token, field(req, 'password'));
      sendPageTo(
        res,
        200,
        messagePage({
          title: 'Your password is set',
          text: 'Every device that was signed in as you is signed out. Sign in with your new password.',
          action: { href: toSignIn(username), label: 'Sign in' },
        }),
      );
    } catch (error) {
      const { status, code, errors } = refusalOf(res, error);
      const username = code === 'not_found' ? null : await usernameOfReset(ctx, token);
      if (username === null) return spent(res);
      sendPageTo(res, status, resetPage({ token, username, errors }));
    }
  });
}
