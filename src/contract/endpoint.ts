import { NoInput } from './primitives.ts';
import type { z } from 'zod';

/** Who may call at all; what they may do with a given thing is decided by the domain's `*.access` and in its SQL. */
export type Access = 'public' | 'guest' | 'user' | 'admin';
/** What a personal API token must be allowed for this; `never`: only a person who signed in, or their access token. */
export type TokenScope = 'read' | 'write' | 'listen:write' | 'never';
export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** Anything a caller may be refused: a REST operation, a socket event, a right over a document. */
export interface Operation<Name extends string = string> {
  /** Names it everywhere: OpenAPI's operationId, the access table (src/domain/access-matrix.ts), logs. */
  name: Name;
  access: Access;
  scope: TokenScope;
}

export interface Endpoint<
  Params extends z.ZodType = z.ZodType,
  Query extends z.ZodType = z.ZodType,
  Body extends z.ZodType = z.ZodType,
  Reply extends z.ZodType = z.ZodType,
  Name extends string = string,
> extends Operation<Name> {
  method: Method;
  /** Below `/api/v1`, with `{param}` places. */
  path: string;
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
  /** The reply shows a secret that is kept nowhere, so it is not kept for an `Idempotency-Key` either. */
  showsSecret: boolean;
  /** Whether a call done twice is as done once, with the same answer: then it is done again when its answer was lost. */
  isRepeatable(input: z.output<Body>): boolean;
}

type Parts<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType, R extends z.ZodType, N extends string> = Pick<
  Endpoint<P, Q, B, R, N>,
  'name' | 'method' | 'path' | 'access' | 'summary' | 'reply'
> & {
  params?: P;
  query?: Q;
  body?: B;
  status?: Endpoint['status'];
  scope?: TokenScope;
  showsSecret?: boolean;
  isRepeatable?(input: z.output<B>): boolean;
};

/** Declares one REST operation; the door is mounted, OpenAPI written and both sides typed from this value alone. */
export function defineEndpoint<
  const N extends string,
  R extends z.ZodType,
  P extends z.ZodType = typeof NoInput,
  Q extends z.ZodType = typeof NoInput,
  B extends z.ZodType = typeof NoInput,
>(parts: Parts<P, Q, B, R, N>): Endpoint<P, Q, B, R, N> {
  return {
    status: 200,
    showsSecret: false,
    isRepeatable: () => false,
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

/** A door that answers with something else than JSON, and so is written by hand. */
export interface OtherDoor<Name extends string = string> extends Operation<Name> {
  method: 'GET' | 'POST';
  /** As an endpoint's. */
  path: string;
  summary: string;
  /** Query parameters, all optional text. */
  query: readonly string[];
  /** Types of the body it takes; a form has its file in the field `file`. */
  body?: readonly string[];
  /** What it answers, by status; the first is a success. */
  responses: Readonly<Record<number, string>>;
}

export function defineDoor<const N extends string>(door: OtherDoor<N>): OtherDoor<N> {
  return door;
}
