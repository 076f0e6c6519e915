/**
 * Every error there is: its code, HTTP status, title, and whether trying the same again later can help.
 * REST answers `application/problem+json` (RFC 9457), sockets `{ok: false, problem}`, playlist sync the close codes.
 */
export const PROBLEMS = {
  malformed: { status: 400, title: 'The request could not be understood', retryable: false },
  invalid: { status: 400, title: 'Some of the input is not valid', retryable: false },
  unauthenticated: { status: 401, title: 'Sign in first', retryable: false },
  forbidden: { status: 403, title: 'You may not do this', retryable: false },
  foreign_origin: { status: 403, title: 'This call came from another site', retryable: false },
  account_disabled: { status: 403, title: 'This account is disabled', retryable: false },
  reauth_required: { status: 403, title: 'Sign in again to do this', retryable: false },
  not_found: { status: 404, title: 'There is nothing here for you', retryable: false },
  method_not_allowed: { status: 405, title: 'This address does not take that method', retryable: false },
  conflict: { status: 409, title: 'This does not fit what is there', retryable: false },
  username_taken: { status: 409, title: 'That username is taken', retryable: false },
  too_large: { status: 413, title: 'That is too large', retryable: false },
  unsupported_type: { status: 415, title: 'That content type is not taken here', retryable: false },
  range_not_satisfiable: { status: 416, title: 'That part of the file does not exist', retryable: false },
  unprocessable: { status: 422, title: 'That is well-formed but makes no sense here', retryable: false },
  too_many: { status: 429, title: 'Too many requests', retryable: true },
  internal: { status: 500, title: 'Something went wrong on the server', retryable: true },
  unavailable: { status: 503, title: 'The server cannot do this right now', retryable: true },
  provider_unavailable: { status: 503, title: 'The sign-in service cannot be reached', retryable: true },
  disk_full: { status: 507, title: 'The server has no room left', retryable: true },
} as const satisfies Record<string, { status: number; title: string; retryable: boolean }>;

export type ProblemCode = keyof typeof PROBLEMS;

export interface FieldError {
  path: string;
  message: string;
}

/** The body of every error answer; `request_id` finds the line in the server's log. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: ProblemCode;
  errors?: FieldError[];
  request_id?: string;
}

/** Builds the problem for a code; `type` is a stable identifier, described in docs/protocol.md. */
export function toProblem(code: ProblemCode, detail: string, errors?: FieldError[]): Problem {
  const { status, title } = PROBLEMS[code];
  const problem: Problem = { type: `urn:stepheybot:problem:${code}`, title, status, detail, code };
  if (errors && errors.length > 0) problem.errors = errors;
  return problem;
}
