import type { FieldError, Problem, ProblemCode } from '#contract/problems.ts';

/** What can go wrong on the client's side of a call, beside what the server says. */
export type ClientProblemCode = 'network' | 'timeout' | 'unreadable';

/** Codes after which the same call may succeed later; mirrors the `retryable` column of the contract's table. */
const RETRYABLE: ReadonlySet<string> = new Set<ProblemCode | ClientProblemCode>([
  'too_many',
  'internal',
  'unavailable',
  'provider_unavailable',
  'disk_full',
  'network',
  'timeout',
  'unreadable',
]);

/** A refused or failed call, by REST or by socket, with what a person needs to read or report it. */
export class ApiProblem extends Error {
  readonly code: ProblemCode | ClientProblemCode;
  /** HTTP status; 0 when no answer came. */
  readonly status: number;
  readonly detail: string;
  readonly errors: FieldError[];
  readonly request_id: string | undefined;
  readonly retry_after_ms: number | undefined;

  constructor(problem: {
    code: ProblemCode | ClientProblemCode;
    status: number;
    title?: string;
    detail: string;
    errors?: FieldError[] | undefined;
    request_id?: string | undefined;
    retry_after_ms?: number | undefined;
  }) {
    super(problem.detail || problem.title || problem.code);
    this.name = 'ApiProblem';
    this.code = problem.code;
    this.status = problem.status;
    this.detail = problem.detail || problem.title || '';
    this.errors = problem.errors ?? [];
    this.request_id = problem.request_id;
    this.retry_after_ms = problem.retry_after_ms;
  }

  get retryable(): boolean {
    return RETRYABLE.has(this.code);
  }

  /** The message for one field of a form, if the server named it. */
  field(path: string): string | undefined {
    return this.errors.find((error) => error.path === path)?.message;
  }
}

/** Whether a value is a problem as the contract writes it. */
export function isProblem(value: unknown): value is Problem {
  return typeof value === 'object' && value !== null && 'code' in value && 'status' in value && 'detail' in value;
}

/** Any thrown value as an `ApiProblem`, so that views show one kind of error. */
export function asProblem(error: unknown): ApiProblem {
  if (error instanceof ApiProblem) return error;
  if (isProblem(error)) return new ApiProblem(error);
  return new ApiProblem({
    code: 'unreadable',
    status: 0,
    detail: error instanceof Error ? error.message : String(error),
  });
}
