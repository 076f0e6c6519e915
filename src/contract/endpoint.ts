import { NoInput } from './primitives.ts';
import type { z } from 'zod';

/** Who may call at all; what they may do with a given thing is decided by the domain's `*.access` and in its SQL. */
export type Access = 'public' | 'guest' | 'user' | 'admin';
/** What a personal API token must be allowed for this; `never`: only a person who signed in, or their access token. */
export type TokenScope = 'read' | 'write' | 'listen:write' | 'never';
export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export interface Endpoint<
  Params extends z.ZodType = z.ZodType,
  Query extends z.ZodType = z.ZodType,
  Body extends z.ZodType = z.ZodType,
  Reply extends z.ZodType = z.ZodType,
> {
  /** Names the operation everywhere: OpenAPI's operationId, the access table, logs. */
  name: string;
  method: Method;
  /** Below `/api/v1`, with `{param}` places. */
  path: string;
  access: Access;
  /** Unless said otherwise `read` for GET and `write` for what changes something. */
  scope: TokenScope;
  summary: string;
  params: Params;
  query: Query;
  /** JSON body; unknown fields are refused. */
  body: Body;
  reply: Reply;
  /** Status of a success. */
  status: 200 | 201 | 202 | 204;
}

type Parts<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType, R extends z.ZodType> = Pick<
  Endpoint<P, Q, B, R>,
  'name' | 'method' | 'path' | 'access' | 'summary' | 'reply'
> & { params?: P; query?: Q; body?: B; status?: Endpoint['status']; scope?: TokenScope };

/** Declares one REST operation; the door is mounted, OpenAPI written and both sides typed from this value alone. */
export function defineEndpoint<
  R extends z.ZodType,
  P extends z.ZodType = typeof NoInput,
  Q extends z.ZodType = typeof NoInput,
  B extends z.ZodType = typeof NoInput,
>(parts: Parts<P, Q, B, R>): Endpoint<P, Q, B, R> {
  return {
    status: 200,
    scope: parts.method === 'GET' ? 'read' : 'write',
    ...parts,
    params: parts.params ?? (NoInput as unknown as P),
    query: parts.query ?? (NoInput as unknown as Q),
    body: parts.body ?? (NoInput as unknown as B),
  };
}

/** A part without fields says nothing, rather than "no field at all". */
type Part<T> = string extends keyof T ? unknown : T;

/** What the domain gets of a call, after parsing. */
export type Input<E extends Endpoint> = Part<z.output<E['params']>> &
  Part<z.output<E['query']>> &
  Part<z.output<E['body']>>;
export type Reply<E extends Endpoint> = z.input<E['reply']>;
