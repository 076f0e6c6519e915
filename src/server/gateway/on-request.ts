import { authorize } from '#domain/authorize.ts';
import { problemOf } from '../http/problem.ts';
import { newIds } from '../ids.ts';
import { parseInput } from '../parse.ts';
import type { Ack } from '#contract/gateway.ts';
import type { SocketRequest } from '#contract/event.ts';
import type { OperationName } from '#domain/access-matrix.ts';
import type { Actor, Ctx } from '#domain/context.ts';
import type { Socket } from 'socket.io';
import type { z } from 'zod';

/** An event joined to the domain function it calls. */
export interface EventHandler {
  request: SocketRequest<OperationName>;
  run(ctx: Ctx, actor: Actor, input: never, socket: Socket): Promise<unknown>;
}

/** Joins an event to its function; the compiler checks payload and reply against the contract. */
export function onEvent<N extends OperationName, P extends z.ZodType, R extends z.ZodType>(
  request: SocketRequest<N, P, R>,
  run: (ctx: Ctx, actor: Actor, input: z.output<P>, socket: Socket) => Promise<z.input<R>>,
): EventHandler {
  return { request, run };
}

/**
 * The one wrapper of every socket event: finds the caller, weighs the role, parses, calls, and acknowledges once the
 * effect is durable, and not before `answerAfterMs` is over. An acknowledgement is optional; no payload, however odd, ends
 * more than its own request.
 * @returns what waits for the requests that are under way
 */
export function registerEvents(
  ctx: Ctx,
  socket: Socket,
  actorOf: () => Actor | Promise<Actor>,
  handlers: readonly EventHandler[],
  answerAfterMs: () => number,
): () => Promise<void> {
  let underWay = 0;
  const idle: (() => void)[] = [];
  function settled(): void {
    underWay -= 1;
    if (underWay === 0) for (const tell of idle.splice(0)) tell();
  }
  function paced(ack: (answer: Ack<unknown>) => void): (answer: Ack<unknown>) => void {
    return (answer) => {
      const waitMs = answerAfterMs();
      if (waitMs <= 0) ack(answer);
      else setTimeout(() => ack(answer), waitMs).unref();
    };
  }

  for (const { request, run } of handlers) {
    socket.on(request.name, (...args: unknown[]) => {
      const ack = paced(takeAck(args));
      underWay += 1;
      answer(args).then(
        (data) => {
          ack({ ok: true, data: data ?? {} });
          settled();
        },
        (error: unknown) => {
          ack({ ok: false, problem: problemOf(ctx, error, newIds.id()).problem });
          settled();
        },
      );
    });

    async function answer(args: readonly unknown[]): Promise<unknown> {
      const found = actorOf();
      // Hardly ever a promise, and then only as the socket opens.
      const actor = found instanceof Promise ? await found : found;
      authorize(actor, request);
      return run(ctx, actor, parseInput(request.payload, args[0] ?? {}, 'payload') as never, socket);
    }
  }
  return () => (underWay === 0 ? Promise.resolve() : new Promise((resolve) => idle.push(resolve)));
}

/** The caller's acknowledgement function, if it sent one, as the last argument. */
export function takeAck(args: unknown[]): (answer: Ack<unknown>) => void {
  const last = args.at(-1);
  if (typeof last !== 'function') return () => {};
  args.pop();
  return last as (answer: Ack<unknown>) => void;
}
