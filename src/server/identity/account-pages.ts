import { checkPassword } from '#domain/accounts/check-password.ts';
import { endProviderSession } from '#domain/accounts/oidc-records.ts';
import {
  awaitSecondFactor,
  checkSecondFactor,
  findPendingSecondFactor,
} from '#domain/accounts/pending-second-factor.ts';
import { pinPublicAddress } from './embedded-provider.ts';
import { field, hasField, ownForm, queryOf, refusalOf } from './forms.ts';
import { createKnownBrowsers } from './known-browsers.ts';
import { mountLinkPages } from './link-pages.ts';
import { codePage, loginPage, messagePage, sendPageTo } from './pages.ts';
import type { PasswordCheck } from '#domain/accounts/check-password.ts';
import type { CodeCheck, PendingSecondFactor } from '#domain/accounts/pending-second-factor.ts';
import type { Guess } from '#domain/accounts/prove-password.ts';
import type { Ctx } from '#domain/context.ts';
import type { EmbeddedProvider } from './embedded-provider.ts';
import type { LinkLimit, LoginBackoff } from './login-backoff.ts';
import type { Request, Response, Router } from 'express';

const TRY_AGAIN = { href: '/api/v1/auth/login', label: 'Try again' };
const WRONG = 'That username and password do not match. Check both and try again.';
const WRONG_CODE = 'That code is not right, or was used already. Wait for the next one.';
const WRONG_RECOVERY_CODE = 'That recovery code is not right, or was used already.';
const OVER = 'That took too long, or too many codes were wrong. Begin again with your password.';
const DISABLED = 'This account has been disabled by an administrator.';

/** How somebody proved who they are (RFC 8176); a recovery code has no name of its own there. */
const AMR = {
  password: ['pwd'],
  totp: ['pwd', 'otp', 'mfa'],
  recovery_code: ['pwd', 'mfa'],
} as const;

interface Parts {
  ctx: Ctx;
  embedded: EmbeddedProvider;
  backoff: LoginBackoff;
  linkLimit: LinkLimit;
  publicUrl: string;
  isOwnOrigin(origin: string): boolean;
}

/** The pages of the embedded provider: signing in, and what one-time links lead to. */
export function mountAccountPages(router: Router, parts: Parts): void {
  mountLogin(router, parts);
  mountLinkPages(router, parts);
}

type Details = Awaited<ReturnType<Awaited<ReturnType<EmbeddedProvider['provider']>>['interactionDetails']>>;

function mountLogin(router: Router, parts: Parts): void {
  const { ctx, embedded, backoff, publicUrl } = parts;
  const path = '/oidc/interaction/:uid';
  const knownBrowsers = createKnownBrowsers(publicUrl, embedded.cookieKeys, ctx.clock);
  const actionOf = (details: Details) => `/oidc/interaction/${details.uid}`;

  /** The sign-in this browser is in, by its cookie and the address; null after saying that there is none. */
  async function interaction(req: Request, res: Response): Promise<Details | null> {
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

  function sendLogin(res: Response, details: Details, status: number, username: string, error: string | null): void {
    sendPageTo(res, status, loginPage({ action: actionOf(details), username, error }));
  }

  function sendCode(
    res: Response,
    details: Details,
    status: number,
    pending: PendingSecondFactor,
    form: { by: 'app' | 'recovery_code'; error: string | null },
  ): void {
    const { username, is_readable: isReadable } = pending;
    sendPageTo(res, status, codePage({ action: actionOf(details), username, isReadable, ...form }));
  }

  /** A guess of this request, slowed by where it comes from: the browser, where they signed in before, else the address. */
  function beginGuess(req: Request, username: string, what: 'password' | 'code'): Promise<Guess> {
    const browser = knownBrowsers.find(req, username);
    const from = browser === null ? (req.ip ?? '') : `browser:${browser}`;
    return backoff.begin({ username, from, isKnown: browser !== null, what });
  }

  /** Checks a guess; a mistake of ours is not held against who made it. */
  async function weigh<T>(guess: Guess, check: () => Promise<T>): Promise<T> {
    try {
      return await check();
    } catch (error) {
      await guess.undo();
      throw error;
    }
  }

  /** Lets them in: back to the provider, which goes on with the sign-in. */
  async function finish(
    req: Request,
    res: Response,
    details: Details,
    { account_id, username, by }: { account_id: string; username: string; by: keyof typeof AMR },
  ): Promise<void> {
    const before = details.session;
    if (before !== undefined && before.accountId !== account_id) {
      // Somebody else used this browser: the provider would go on in their session.
      await endProviderSession(ctx, before.uid);
      delete details.session;
      await details.persist();
    }
    res.append('set-cookie', knownBrowsers.mark(req, username));
    const provider = await embedded.provider();
    await provider.interactionFinished(
      req,
      res,
      { login: { accountId: account_id, remember: true, amr: [...AMR[by]] } },
      { mergeWithLastSubmission: false },
    );
  }

  router.get(path, async (req, res) => {
    const details = await interaction(req, res);
    if (details === null) return;
    const by = queryOf(req, 'by');
    const pending = by === 'password' ? null : await findPendingSecondFactor(ctx, details.uid);
    if (pending !== null) {
      return sendCode(res, details, 200, pending, { by: by === 'recovery_code' ? by : 'app', error: null });
    }
    const hint = details.params.login_hint;
    sendLogin(res, details, 200, by !== 'password' && typeof hint === 'string' ? hint.slice(0, 200) : '', null);
  });

  router.post(path, ownForm(parts), async (req: Request, res: Response) => {
    const details = await interaction(req, res);
    if (details === null) return;
    return hasField(req, 'code') ? takeCode(req, res, details) : takePassword(req, res, details);
  });

  async function takePassword(req: Request, res: Response, details: Details): Promise<void> {
    const username = field(req, 'username').trim().slice(0, 200);
    let checked: PasswordCheck;
    try {
      const guess = await beginGuess(req, username, 'password');
      checked = await weigh(guess, () => checkPassword(ctx, { username, password: field(req, 'password') }));
      if (checked.outcome === 'wrong') return sendLogin(res, details, 401, username, WRONG);
      // Before the second factor nothing is forgotten: else a known password would buy fresh tries at codes.
      if (checked.outcome === 'right' && checked.has_second_factor) await guess.undo();
      else await guess.succeeded();
    } catch (error) {
      const { status, errors } = refusalOf(res, error);
      return sendLogin(res, details, status, username, errors.map(({ message }) => message).join(' '));
    }
    if (checked.outcome === 'disabled') return sendLogin(res, details, 403, username, DISABLED);
    const { account_id } = checked;
    if (!checked.has_second_factor) return finish(req, res, details, { account_id, username, by: 'password' });
    await awaitSecondFactor(ctx, { interaction_uid: details.uid, account_id });
    res.setHeader('cache-control', 'no-store');
    res.redirect(303, actionOf(details));
  }

  async function takeCode(req: Request, res: Response, details: Details): Promise<void> {
    const form = { by: field(req, 'by') === 'recovery_code' ? ('recovery_code' as const) : ('app' as const) };
    const pending = await findPendingSecondFactor(ctx, details.uid);
    if (pending === null) return sendLogin(res, details, 401, '', OVER);
    const { username } = pending;
    let checked: CodeCheck;
    try {
      const guess = await beginGuess(req, username, 'code');
      checked = await weigh(guess, () =>
        checkSecondFactor(ctx, { interaction_uid: details.uid, typed: field(req, 'code').slice(0, 100) }),
      );
      if (checked.outcome === 'right') await guess.succeeded();
      else if (checked.outcome !== 'wrong') await guess.undo();
    } catch (error) {
      const { status, errors } = refusalOf(res, error);
      const message = errors.map((one) => one.message).join(' ');
      return sendCode(res, details, status, pending, { ...form, error: message });
    }
    if (checked.outcome === 'right') {
      return finish(req, res, details, { account_id: checked.account_id, username, by: checked.by });
    }
    if (checked.outcome === 'unreadable') {
      return sendCode(res, details, 503, { ...pending, is_readable: false }, { by: 'recovery_code', error: null });
    }
    const still = checked.outcome === 'over' ? null : await findPendingSecondFactor(ctx, details.uid);
    if (still === null) return sendLogin(res, details, 401, username, OVER);
    sendCode(res, details, 401, still, {
      ...form,
      error: form.by === 'app' ? WRONG_CODE : WRONG_RECOVERY_CODE,
    });
  }
}
