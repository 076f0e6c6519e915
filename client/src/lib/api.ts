import { ApiProblem, isProblem } from './problem.ts';

const BASE = '/api/v1';
/** Longer than any honest answer; a scan or an import answers at once and goes on by itself. */
const TIMEOUT_MS = 30_000;

export type QueryValue = string | number | boolean | null | undefined;
export interface CallOptions {
  signal?: AbortSignal;
  /** Do not send the person to the sign-in page on 401: the caller decides. */
  quiet_401?: boolean;
  query?: Record<string, QueryValue>;
}

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

let signedOut: () => void = () => undefined;
let reauthRequired: () => void = () => undefined;

/** Registers what happens when any call finds the session gone; the session module sets it once. */
export function onSignedOut(handler: () => void): void {
  signedOut = handler;
}

/** Registers what happens when a call asks for a fresh sign-in; its caller is told of the refusal as of any other. */
export function onReauthRequired(handler: () => void): void {
  reauthRequired = handler;
}

/** The address of a call with its query; empty values are left out. */
export function addressOf(path: string, query?: Record<string, QueryValue>): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined && value !== null && value !== '') params.set(name, String(value));
  }
  const search = params.toString();
  return `${BASE}${path}${search === '' ? '' : `?${search}`}`;
}

/** What is sent: nothing, a file as it is, or JSON. */
function contentOf(body: unknown): { body: string | Blob; type: string } | null {
  if (body === undefined) return null;
  return body instanceof Blob ? { body, type: body.type } : { body: JSON.stringify(body), type: 'application/json' };
}

async function call<Reply>(method: Method, path: string, body: unknown, options: CallOptions): Promise<Reply> {
  const address = addressOf(path, options.query);
  const content = contentOf(body);
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  const signal = options.signal ? AbortSignal.any([options.signal, timeout]) : timeout;
  let response: Response;
  try {
    response = await fetch(address, {
      method,
      signal,
      credentials: 'same-origin',
      headers: {
        accept: 'application/json, application/problem+json',
        ...(content === null ? {} : { 'content-type': content.type }),
      },
      ...(content === null ? {} : { body: content.body }),
    });
  } catch (error) {
    // An abandoned call is no failure of the network: whoever aborted it knows.
    if (options.signal?.aborted) throw error;
    const code = timeout.aborted ? 'timeout' : 'network';
    throw new ApiProblem({ code, status: 0, detail: code === 'timeout' ? 'No answer in time' : 'No connection' });
  }
  if (response.status === 204) return undefined as Reply;
  const text = await response.text();
  let value: unknown;
  try {
    value = text === '' ? undefined : JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (response.ok) {
    if (value === undefined && text !== '') {
      throw new ApiProblem({ code: 'unreadable', status: response.status, detail: 'The answer was not JSON' });
    }
    return value as Reply;
  }
  const wait = Number(response.headers.get('retry-after'));
  const problem = isProblem(value)
    ? new ApiProblem({ ...value, retry_after_ms: wait > 0 ? wait * 1000 : undefined })
    : new ApiProblem({
        code: response.status === 401 ? 'unauthenticated' : response.status === 404 ? 'not_found' : 'unreadable',
        status: response.status,
        detail: response.statusText,
      });
  if (problem.status === 401 && !options.quiet_401) signedOut();
  if (problem.code === 'reauth_required') reauthRequired();
  throw problem;
}

/**
 * Calls the REST API; paths are those of the contract, below `/api/v1`. A `Blob` as body goes out as it is, with its type.
 * @throws ApiProblem for every answer that is not a success, and when none came.
 */
export const api = {
  get: <Reply>(path: string, query?: Record<string, QueryValue>, options: CallOptions = {}) =>
    call<Reply>('GET', path, undefined, query ? { ...options, query } : options),
  post: <Reply = undefined>(path: string, body?: unknown, options: CallOptions = {}) =>
    call<Reply>('POST', path, body, options),
  put: <Reply = undefined>(path: string, body?: unknown, options: CallOptions = {}) =>
    call<Reply>('PUT', path, body, options),
  patch: <Reply = undefined>(path: string, body?: unknown, options: CallOptions = {}) =>
    call<Reply>('PATCH', path, body, options),
  del: <Reply = undefined>(path: string, body?: unknown, options: CallOptions = {}) =>
    call<Reply>('DELETE', path, body, options),
};
