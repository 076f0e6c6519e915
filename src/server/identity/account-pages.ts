import express from 'express';
import { checkPassword } from '#domain/accounts/check-password.ts';
import { createFirstAccount, isFirstAccountOffered } from '#domain/accounts/first-account.ts';
import { DomainError } from '#domain/errors.ts';
import { PROBLEMS } from '#contract/problems.ts';
import { hashSecret } from '../ids.ts';
import { pinPublicAddress } from './embedded-provider.ts';
import { isOwnRequest } from './origins.ts';
import { loginPage, messagePage, sendPageTo, setupPage } from './pages.ts';
import type { Ctx } from '#domain/context.ts';
import type { EmbeddedProvider } from './embedded-provider.ts';
import type { LoginBackoff } from './login-backoff.ts';
import type { Request, Response, Router } from 'express';

const readForm = express.urlencoded({ extended: false, limit: '8kb', parameterLimit: 10 });

/** A field of a posted form as text; a repeated or missing one is empty. */
function field(req: Request, name: string): string {
  const body: unknown = req.body;
  const value =
    typeof body === 'object' && body !== null ? Object.entries(body).find(([key]) => key === name)?.[1] : undefined;
  return typeof value === 'string' ? value : '';
}

const TRY_AGAIN = { href: '/api/v1/auth/login', label: 'Try again' };
const WRONG = 'That username and password do not match. Check both and try again.';

interface Parts {
  ctx: Ctx;
  embedded: EmbeddedProvider;
  backoff: LoginBackoff;
  publicUrl: string;
  isOwnOrigin(origin: string): boolean;
}

/** The pages of the embedded provider: signing in, and making the first account. */
export function mountAccountPages(router: Router, parts: Parts): void {
  mountLogin(router, parts);
  mountSetup(router, parts);
}

function foreignPage(res: Response, publicUrl: string): void {
  sendPageTo(
    res,
    403,
    messagePage({
      title: 'Not from here',
      text: `This form was sent from another address. Open ${publicUrl} and sign in there.`,
      code: 'foreign_origin',
      action: { href: `${publicUrl}/api/v1/auth/login`, label: 'Sign in' },
    }),
  );
}

function mountLogin(router: Router, { ctx, embedded, backoff, publicUrl, isOwnOrigin }: Parts): void {
  const path = '/oidc/interaction/:uid';

  /** The sign-in this browser is in, by its cookie and the address; null after saying that there is none. */
  async function interaction(req: Request, res: Response) {
    pinPublicAddress(req, publicUrl);
    try {
      const details = await (await embedded.provider()).interactionDetails(req, res);
      if (details.uid === req.params.uid && details.prompt.name === 'login') return details;
    } catch (error) {
      if (!(error instanceof Error && error.name === 'SessionNotFound')) throw error;
    }
    sendPageTo(
      res,
      400,
      messagePage({
        title: 'This sign-in is over',
        text: 'It took too long, was finished already, or began in another browser.',
        action: TRY_AGAIN,
      }),
    );
    return null;
  }

  router.get(path, async (req, res) => {
    const details = await interaction(req, res);
    if (details === null) return;
    const hint = details.params.login_hint;
    const username = typeof hint === 'string' ? hint.slice(0, 200) : '';
    sendPageTo(res, 200, loginPage({ action: `/oidc/interaction/${details.uid}`, username, error: null }));
  });

  router.post(path, readForm, async (req, res) => {
    if (!isOwnRequest(req, isOwnOrigin, 'http')) return foreignPage(res, publicUrl);
    const details = await interaction(req, res);
    if (details === null) return;
    const username = field(req, 'username').trim().slice(0, 200);
    const address = req.ip ?? '';
    const again = (status: number, error: string) =>
      sendPageTo(res, status, loginPage({ action: `/oidc/interaction/${details.uid}`, username, error }));
    try {
      await backoff.check(username, address);
      const checked = await checkPassword(ctx, { username, password: field(req, 'password') });
      if (checked.outcome === 'wrong') {
        await backoff.failed(username, address);
        return again(401, WRONG);
      }
      await backoff.succeeded(username, address);
      if (checked.outcome === 'disabled') return again(403, 'This account has been disabled by an administrator.');
      const provider = await embedded.provider();
      await provider.interactionFinished(
        req,
        res,
        { login: { accountId: checked.account_id, remember: true, amr: ['pwd'] } },
        { mergeWithLastSubmission: false },
      );
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      if (error.retryAfter !== undefined) res.setHeader('retry-after', String(error.retryAfter));
      again(PROBLEMS[error.code].status, error.message);
    }
  });
}

function mountSetup(router: Router, { ctx, publicUrl, isOwnOrigin }: Parts): void {
  const spent = (res: Response) =>
    sendPageTo(
      res,
      404,
      messagePage({
        title: 'This link no longer works',
        text: 'It was used already, or is too old. If no account was made with it, restart the server: it prints a new link.',
        action: { href: '/api/v1/auth/login', label: 'Sign in' },
      }),
    );

  router.get('/setup', async (req, res) => {
    const token = typeof req.query.token === 'string' ? req.query.token : '';
    if (!(await isFirstAccountOffered(ctx, hashSecret(token)))) return spent(res);
    sendPageTo(res, 200, setupPage({ token, username: '', display_name: '', errors: [] }));
  });

  router.post('/setup', readForm, async (req, res) => {
    if (!isOwnRequest(req, isOwnOrigin, 'http')) return foreignPage(res, publicUrl);
    const form = {
      token: field(req, 'token'),
      username: field(req, 'username').trim(),
      display_name: field(req, 'display_name'),
    };
    try {
      const { username } = await createFirstAccount(ctx, hashSecret(form.token), {
        username: form.username,
        display_name: form.display_name,
        password: field(req, 'password'),
      });
      res.redirect(303, `/api/v1/auth/login?${new URLSearchParams({ return_to: '/', login_hint: username })}`);
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      if (error.code === 'not_found') return spent(res);
      const errors = error.errors.length > 0 ? error.errors : [{ path: '', message: error.message }];
      sendPageTo(res, PROBLEMS[error.code].status, setupPage({ ...form, errors }));
    }
  });
}
