/** A server at the client's only edge, `fetch`: answers are given call by call, and what was sent can be looked at. */
import { vi } from 'vitest';

export interface Call {
  method: string;
  path: string;
  body: unknown;
  type: string | null;
}
export type Answer = { status?: number; body?: unknown } | Promise<{ status?: number; body?: unknown }>;

export interface FakeServer {
  calls: Call[];
  /** Answers calls of a method and path (below `/api/v1`, without the query) from now on. */
  on(method: string, path: string, answer: (call: Call) => Answer): void;
}

/** A refusal as the server writes it. */
export function refusal(status: number, code: string, detail = code, errors?: { path: string; message: string }[]) {
  return { status, body: { type: `urn:stepheybot:problem:${code}`, title: code, status, detail, code, errors } };
}

/** Puts a fake server in the place of `fetch`; `vi.unstubAllGlobals` takes it away again. */
export function fakeServer(): FakeServer {
  const answers = new Map<string, (call: Call) => Answer>();
  const calls: Call[] = [];
  vi.stubGlobal('fetch', async (address: string, init: RequestInit = {}) => {
    const url = new URL(address, 'http://fake.invalid');
    const path = url.pathname.replace('/api/v1', '');
    const { body } = init;
    const call: Call = {
      method: init.method ?? 'GET',
      path: path + url.search,
      body: typeof body === 'string' ? JSON.parse(body) : body,
      type: new Headers(init.headers).get('content-type'),
    };
    calls.push(call);
    const answer = answers.get(`${call.method} ${path}`);
    if (!answer) throw new Error(`nobody answers ${call.method} ${path}`);
    const { status = 200, body: value } = await answer(call);
    if (value instanceof Blob) return new Response(value, { status });
    return new Response(value === undefined ? null : JSON.stringify(value), { status });
  });
  return { calls, on: (method, path, answer) => void answers.set(`${method} ${path}`, answer) };
}
