import type { FieldError, ProblemCode } from '#contract/problems.ts';

/** A refusal with a code of contract/problems.ts; `message` is the detail a person reads. */
export class DomainError extends Error {
  override readonly name = 'DomainError';
  readonly code: ProblemCode;
  readonly errors: FieldError[];
  /** Seconds after which trying again makes sense (429, 503). */
  readonly retryAfter: number | undefined;

  constructor(
    code: ProblemCode,
    detail: string,
    more: { errors?: FieldError[]; retryAfter?: number; cause?: unknown } = {},
  ) {
    super(detail, { cause: more.cause });
    this.code = code;
    this.errors = more.errors ?? [];
    this.retryAfter = more.retryAfter;
  }
}

/** What the caller may not know of is answered like what is not there. */
export function notFound(what: string): DomainError {
  return new DomainError('not_found', `There is no such ${what}, or it is not yours to see.`);
}
