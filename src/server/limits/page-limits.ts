import express from 'express';
import { PROBLEMS } from '#contract/problems.ts';
import { DomainError } from '#domain/errors.ts';
import { sendProblem } from '../http/problem.ts';
import { messagePage, sendPageTo } from '../identity/pages.ts';
import type { Ctx } from '#domain/context.ts';
import type { Request, RequestHandler, Response, Router } from 'express';
import type { AddressOf } from './address.ts';
import type { LimitName } from './limits.ts';
import type { Limiters } from './limiters.ts';

/**
 * The limits, per address, of what is open to everybody: signing in, one-time links, the documents of the API. Mount it
 * before what it guards. The token endpoint is not among them: only this server itself calls it, and its own address
 * may be one that others share.
 */
export function pageLimits(ctx: Pick<Ctx, 'log' | 'dialect'>, limiters: Limiters, addressOf: AddressOf): Router {
  const limit =
    (name: LimitName): RequestHandler =>
    async (req, res, next) => {
      try {
        await limiters.take(name, addressOf(req));
      } catch (error) {
        refuse(ctx, req, res, error);
        return;
      }
      next();
    };
  const router = express.Router();
  router.all('/api/v1/auth/login', limit('sign_in'));
  router.post('/oidc/interaction/:uid', limit('password'));
  const page = limit('page');
  // Broken links and forms are counted besides, where they are known to be that [ID77].
  router.use(['/setup', '/invite', '/reset'], page);
  router.use('/oidc', (req, res, next) =>
    req.path === '/token' || req.path === '/pages.css' ? next() : page(req, res, next),
  );
  router.all(['/api/docs', '/api/v1/openapi.json', '/api/v1/auth/callback', '/api/v1/auth/backchannel-logout'], page);
  return router;
}

/** A person reads a page, a program a problem. */
function refuse(ctx: Pick<Ctx, 'log' | 'dialect'>, req: Request, res: Response, error: unknown): void {
  if (!(error instanceof DomainError) || req.accepts(['html', 'json']) === 'json') {
    sendProblem(ctx, res, error);
    return;
  }
  const { status, title } = PROBLEMS[error.code];
  if (error.retryAfter !== undefined) res.set('retry-after', String(error.retryAfter));
  sendPageTo(res, status, messagePage({ title, text: error.message, code: error.code }));
}
