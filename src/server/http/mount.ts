import { createHash } from 'node:crypto';
import express from 'express';
import { authorize } from '#domain/authorize.ts';
import { DomainError } from '#domain/errors.ts';
import { parseInput } from '../parse.ts';
import { sendProblem } from './problem.ts';
import type { Endpoint, Input, OtherDoor, Reply } from '#contract/endpoint.ts';
import type { KeptAnswers } from '#domain/answers/run-once.ts';
import type { KnownOperation } from '#domain/authorize.ts';
import type { Actor, Ctx } from '#domain/context.ts';
import type { NextFunction, Request, Response, Router } from 'express';

export const JSON_LIMIT_BYTES = 64 * 1024;

/** One the access table knows: without a line there it cannot be mounted. */
export type KnownEndpoint = Endpoint & KnownOperation;

/** A door that answers with something else than JSON, and that the access table knows. */
export type KnownDoor = OtherDoor & KnownOperation;

/** One REST operation joined to the domain function it calls. */
export interface Route {
  endpoint: KnownEndpoint;
  run(ctx: Ctx, actor: Actor, input: never): Promise<unknown>;
}

/** Joins an endpoint to its domain function; the compiler checks input and reply against the contract. */
export function on<E extends KnownEndpoint>(
  endpoint: E,
  run: (ctx: Ctx, actor: Actor, input: Input<E>) => Promise<Reply<E>>,
): Route {
  return { endpoint, run };
}

/** Express spells path parameters with a colon. */
function toExpressPath(path: string): string {
  return path.replace(/\{(\w+)\}/g, ':$1');
}

/** Reads a JSON body; anything else with a body is refused before it is read. */
const readJson = express.json({ limit: JSON_LIMIT_BYTES, type: 'application/json', strict: true });

/** [HT20] The key a call that changes something may come with. @throws DomainError invalid */
function keyOf(req: Request): string | undefined {
  const key = req.get('idempotency-key');
  if (key === undefined || req.method === 'GET' || req.method === 'HEAD') return undefined;
  if (/^[\x21-\x7e]{1,255}$/.test(key)) return key;
  const message = 'must be 1 to 255 visible ASCII characters';
  throw new DomainError('invalid', `Idempotency-Key ${message}.`, { errors: [{ path: 'Idempotency-Key', message }] });
}

/** What was asked, without when it was sent: that alone differs when a client asks again. */
function hashOf({ method, path }: Endpoint, input: Record<string, unknown>): string {
  const asked = { ...input, sent_at_ms: undefined };
  return createHash('sha256')
    .update(JSON.stringify([method, path, asked]))
    .digest('base64url');
}

function hasBody(req: Request): boolean {
  return req.headers['transfer-encoding'] !== undefined || Number(req.headers['content-length'] ?? 0) > 0;
}

/**
 * Opens a door per route: admit the caller, weigh the role, parse every part, call the domain, answer.
 * An address that exists answers 405 to other methods.
 */
export function mountRoutes(
  router: Router,
  {
    ctx,
    admit,
    answers,
  }: {
    ctx: Ctx;
    admit: (req: Request, endpoint: Endpoint) => Promise<Actor>;
    answers: KeptAnswers;
  },
  routes: readonly Route[],
): void {
  /** Addresses without places: the words of one are no id for another. */
  const plain = new Set(routes.map(({ endpoint }) => endpoint.path).filter((path) => !path.includes('{')));
  for (const { endpoint, run } of routes) {
    const handle = async (req: Request, res: Response, next: NextFunction) => {
      if (endpoint.path !== req.path && plain.has(req.path)) {
        next();
        return;
      }
      res.locals.operation = endpoint.name;
      try {
        const actor = await admit(req, endpoint);
        authorize(actor, endpoint);
        if (hasBody(req) && !req.is('application/json')) {
          throw new DomainError('unsupported_type', 'Send application/json.');
        }
        await new Promise<void>((resolve, reject) =>
          readJson(req, res, (error?: unknown) => (error === undefined ? resolve() : reject(error as Error))),
        );
        const input = {
          ...(parseInput(endpoint.params, req.params, 'params') as object),
          ...(parseInput(endpoint.query, { ...req.query }, 'query') as object),
          ...(parseInput(endpoint.body, req.body ?? {}, 'body') as object),
        };
        const idempotency_key = keyOf(req);
        if (idempotency_key === undefined) {
          const reply = await run(ctx, actor, input as never);
          if (endpoint.status === 204) res.status(204).end();
          else res.status(endpoint.status).json(reply);
          return;
        }
        const { status, body, isRepeat } = await answers.once(
          {
            user_id: actor.user_id,
            idempotency_key,
            request_hash: hashOf(endpoint, input),
            showsSecret: endpoint.showsSecret,
            isRepeatable: endpoint.isRepeatable(input),
          },
          async (marking) => {
            const reply = await run(marking, actor, input as never);
            return { status: endpoint.status, body: endpoint.status === 204 ? null : JSON.stringify(reply) };
          },
        );
        if (isRepeat) res.set('idempotency-replayed', 'true');
        res.status(status);
        if (body === null) res.end();
        else res.type('json').send(body);
      } catch (error) {
        sendProblem(ctx, res, error);
      }
    };
    const path = toExpressPath(endpoint.path);
    router[endpoint.method.toLowerCase() as 'get' | 'post' | 'put' | 'patch' | 'delete'](path, handle);
  }
}

/** Opens a door that is no endpoint: find the actor, weigh role and scope, and leave the rest to `handle`. */
export function mountDoor(
  router: Router,
  ctx: Ctx,
  authenticate: (req: Request) => Promise<Actor>,
  door: KnownDoor,
  handle: (req: Request, res: Response, actor: Actor) => Promise<void>,
): void {
  router[door.method === 'GET' ? 'get' : 'post'](toExpressPath(door.path), async (req, res) => {
    res.locals.operation = door.name;
    try {
      const actor = await authenticate(req);
      authorize(actor, door);
      await handle(req, res, actor);
    } catch (error) {
      sendProblem(ctx, res, error);
    }
  });
}

/** After everything that has an address of the API: other methods are 405, other addresses 404. */
export function mountRefusals(router: Router, ctx: Ctx, addresses: ReadonlyMap<string, ReadonlySet<string>>): void {
  // One without places is itself, whatever pattern its words fit.
  const byPlaces = [...addresses].sort(([a], [b]) => Number(a.includes('{')) - Number(b.includes('{')));
  for (const [path, methods] of byPlaces) {
    router.all(toExpressPath(path), (_req, res) => {
      res.set('allow', [...methods].sort().join(', '));
      sendProblem(
        ctx,
        res,
        new DomainError('method_not_allowed', `This address takes ${[...methods].sort().join(', ')}.`),
      );
    });
  }
  router.use((_req, res) => sendProblem(ctx, res, new DomainError('not_found', 'There is no such address.')));
}

/** Which methods each address takes. */
export function addressesOf(endpoints: readonly Pick<Endpoint, 'method' | 'path'>[]): Map<string, Set<string>> {
  const addresses = new Map<string, Set<string>>();
  for (const { method, path } of endpoints) {
    const methods = addresses.get(path) ?? new Set();
    methods.add(method);
    if (method === 'GET') methods.add('HEAD');
    addresses.set(path, methods);
  }
  return addresses;
}
