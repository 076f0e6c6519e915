import type { Access, Operation } from './endpoint.ts';
import type { z } from 'zod';

/** A client's socket event: parsed, acknowledged after its effect is durable. */
export interface SocketRequest<
  Name extends string = string,
  Payload extends z.ZodType = z.ZodType,
  Reply extends z.ZodType = z.ZodType,
> extends Operation<Name> {
  access: Exclude<Access, 'public'>;
  payload: Payload;
  reply: Reply;
}

/** A server's socket event: has no acknowledgement. `volatile` ones may be dropped for a slow reader. */
export interface SocketNotice<Name extends string = string, Payload extends z.ZodType = z.ZodType> {
  name: Name;
  payload: Payload;
  volatile: boolean;
}

export function defineRequest<N extends string, P extends z.ZodType, R extends z.ZodType>(
  request: SocketRequest<N, P, R>,
): SocketRequest<N, P, R> {
  return request;
}

export function defineNotice<N extends string, P extends z.ZodType>(notice: SocketNotice<N, P>): SocketNotice<N, P> {
  return notice;
}
