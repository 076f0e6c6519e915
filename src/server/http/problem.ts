import { toProblem } from '#contract/problems.ts';
import { DomainError } from '#domain/errors.ts';
import { toStorageError } from '#domain/unit-of-work.ts';
import type { Problem } from '#contract/problems.ts';
import type { Ctx } from '#domain/context.ts';
import type { Response } from 'express';

/** An error as its caller may see it; unknown ones become `internal` and are logged with their cause. */
export function problemOf(
  ctx: Pick<Ctx, 'log' | 'dialect'>,
  thrown: unknown,
  request_id: string,
): { problem: Problem; retryAfter: number | undefined } {
  const error = toStorageError(ctx, fromBodyParser(thrown));
  if (error instanceof DomainError) {
    // The cause's message may quote what somebody sent; its kind and code do not.
    if (error.cause instanceof Error) {
      const code = 'code' in error.cause ? String(error.cause.code) : null;
      ctx.log.warn('request refused', { request_id, code: error.code, cause: error.cause.name, cause_code: code });
    }
    return {
      problem: { ...toProblem(error.code, error.message, error.errors), request_id },
      retryAfter: error.retryAfter,
    };
  }
  ctx.log.error('request failed', { request_id }, error);
  return {
    problem: {
      ...toProblem(
        'internal',
        'The server made a mistake. Try again; if it stays, give the request id to whoever runs it.',
      ),
      request_id,
    },
    retryAfter: undefined,
  };
}

/** Express's own errors carry a status and a type: https://github.com/expressjs/body-parser#errors. */
function fromBodyParser(error: unknown): unknown {
  if (!(error instanceof Error) || !('status' in error)) return error;
  const type = 'type' in error ? error.type : undefined;
  if (type === 'entity.too.large') return new DomainError('too_large', 'The body is larger than this address takes.');
  if (type === 'encoding.unsupported' || type === 'charset.unsupported') {
    return new DomainError('unsupported_type', 'That encoding is not taken here.');
  }
  if (type === 'entity.parse.failed') return new DomainError('malformed', 'The body is not valid JSON.');
  if (typeof error.status === 'number' && error.status >= 400 && error.status < 500) {
    return new DomainError('malformed', 'The request could not be read.');
  }
  return error;
}

/** Answers with a problem, unless an answer has begun: then only ending the connection is honest. */
export function sendProblem(ctx: Pick<Ctx, 'log' | 'dialect'>, res: Response, error: unknown): void {
  const { problem, retryAfter } = problemOf(ctx, error, String(res.locals.request_id ?? ''));
  if (res.headersSent) {
    res.destroy();
    return;
  }
  if (retryAfter !== undefined) res.set('retry-after', String(retryAfter));
  if (problem.status === 401) res.set('www-authenticate', 'Bearer');
  res.status(problem.status).type('application/problem+json').set('cache-control', 'private, no-store').json(problem);
}
