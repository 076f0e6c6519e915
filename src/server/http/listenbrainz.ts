/**
 * The ListenBrainz-compatible server (contract §3), so that programs written for ListenBrainz submit to us and read from us. It
 * answers at `/1/…` and `/api/v1/1/…`, in ListenBrainz' words, to tokens only: a cookie is never read here, so any page may call.
 */
import express from 'express';
import * as doors from '#contract/doors.ts';
import { PROBLEMS } from '#contract/problems.ts';
import { authorize } from '#domain/authorize.ts';
import { DomainError } from '#domain/errors.ts';
import { deleteToldListen, giveFeedback, noteLatestImport } from '#domain/listens/edit-told-listens.ts';
import {
  BODY_BYTES_MAX,
  LISTENS_MAX,
  readDeletion,
  readFeedback,
  readInteger,
  readLatestImport,
  readRange,
  readSubmission,
} from '#domain/listens/listenbrainz.rules.ts';
import {
  latestImport,
  lbFeedback,
  lbListenCount,
  lbListens,
  lbPlayingNow,
  listener,
} from '#domain/listens/listenbrainz.queries.ts';
import { submitListens } from '#domain/listens/submit-listens.ts';
import { epochSeconds } from '#domain/ports.ts';
import { problemOf } from './problem.ts';
import type { Actor, Ctx } from '#domain/context.ts';
import type { PresenceRoom } from '#rooms/presence/presence-room.ts';
import type { Request, RequestHandler, Response, Router } from 'express';
import type { Identity } from '../identity/identity.ts';
import type { AddressOf } from '../limits/address.ts';
import type { Limiters } from '../limits/limiters.ts';
import type { KnownDoor } from './mount.ts';

export interface ListenBrainzParts {
  ctx: Ctx;
  identity: Pick<Identity, 'authenticate'>;
  presence: Pick<PresenceRoom, 'listeningOf'>;
  limiters: Limiters;
  addressOf: AddressOf;
}

/** [LBZ1-1] Wherever it is mounted, however many slashes: what comes after `1/` is what counts. */
const PREFIX = /^\/+(?:api\/+v1\/+)?1(?=\/|$)/;
const RATE_HEADERS = ['X-RateLimit-Limit', 'X-RateLimit-Remaining', 'X-RateLimit-Reset-In', 'X-RateLimit-Reset'];
/** Any page may ask, and read the answer: a token it has is all that counts. */
const CORS = {
  'access-control-allow-origin': '*',
  'access-control-allow-methods': 'GET, POST, OPTIONS',
  'access-control-allow-headers': 'Authorization, Content-Type',
  'access-control-expose-headers': RATE_HEADERS.join(', '),
  'access-control-max-age': '86400',
  'cross-origin-resource-policy': 'cross-origin',
};
/** A token of ours. Another scheme, or none, is nobody: then no cookie may speak instead. */
const BY_TOKEN = /^\s*(?:token|bearer)\s+\S/i;

type Handler = (req: Request, actor: Actor) => Promise<object>;

/** Sends what comes for `/1/` to where it is mounted, answers preflights, and lets any page read. Before everything else. */
export function listenBrainzPaths(): RequestHandler {
  return (req, res, next) => {
    const [path = '', query] = split(req.url);
    if (!PREFIX.test(path)) return next();
    res.set(CORS).vary('Cookie, Authorization');
    if (req.method === 'OPTIONS') return void res.status(204).end();
    const rest = path
      .replace(PREFIX, '')
      .replace(/\/{2,}/g, '/')
      .replace(/\/$/, '');
    req.url = `/api/v1/1${rest === '' ? '/' : rest}${query}`;
    next();
  };
}

function split(url: string): [path: string, query: string] {
  const at = url.indexOf('?');
  return at < 0 ? [url, ''] : [url.slice(0, at), url.slice(at)];
}

/** The doors, to be mounted at `/api/v1`. */
export function listenBrainzRouter({ ctx, identity, presence, limiters, addressOf }: ListenBrainzParts): Router {
  // Names of people are told apart by case nowhere, addresses are.
  const router = express.Router({ caseSensitive: true });

  /** [LBZ1-6] The four headers its programs read. @throws DomainError too_many */
  async function spend(res: Response, name: 'scrobbler' | 'scrobbler_address', key: string): Promise<void> {
    const { limit, remaining, resetMs, isOver } = await limiters.spend(name, key);
    const resetIn = Math.max(1, Math.ceil(resetMs / 1000));
    const values = [limit, remaining, resetIn, epochSeconds(ctx.clock) + resetIn];
    for (const [i, header] of RATE_HEADERS.entries()) res.set(header, String(values[i]));
    if (isOver) throw new DomainError('too_many', 'You have exceeded your rate limit.', { retryAfter: resetIn });
  }

  async function admit(req: Request, res: Response): Promise<Actor> {
    let actor: Actor;
    try {
      if (!BY_TOKEN.test(req.headers.authorization ?? '')) {
        throw new DomainError('unauthenticated', 'You need to provide an Authorization header.');
      }
      actor = await identity.authenticate(req, { door: 'http' });
    } catch (error) {
      await spend(res, 'scrobbler_address', addressOf(req));
      throw error;
    }
    await spend(res, 'scrobbler', actor.user_id);
    return actor;
  }

  /** [LBZ1-7] An error in ListenBrainz' words. */
  function refuse(res: Response, thrown: unknown): void {
    const { problem, retryAfter } = problemOf(ctx, thrown, String(res.locals.request_id ?? ''));
    if (res.headersSent) return void res.destroy();
    if (retryAfter !== undefined) res.set('retry-after', String(retryAfter));
    // Its programs know 400 for whatever is wrong with what they sent.
    const code = problem.status === 422 || problem.status === 415 ? 400 : problem.status;
    res.status(code).json({ code, error: problem.detail, request_id: problem.request_id });
  }

  function mount(door: KnownDoor, handle: Handler): void {
    router[door.method === 'GET' ? 'get' : 'post'](door.path.replace(/\{(\w+)\}/g, ':$1'), async (req, res) => {
      try {
        const actor = await admit(req, res);
        authorize(actor, door);
        if (door.method === 'POST') await readBody(req, res);
        const reply = await handle(req, actor);
        res.set('cache-control', 'private, no-store').json(reply);
      } catch (error) {
        refuse(res, error);
      }
    });
  }

  const OK = { status: 'ok' };
  const readRaw = express.raw({ limit: BODY_BYTES_MAX, type: () => true, inflate: true });

  /** [LBZ1-2] JSON, whatever the content type says. @throws DomainError invalid, too_large */
  async function readBody(req: Request, res: Response): Promise<void> {
    await new Promise<void>((resolve, reject) =>
      readRaw(req, res, (error?: unknown) => (error === undefined ? resolve() : reject(error as Error))),
    );
    const bytes = Buffer.isBuffer(req.body) ? req.body : Buffer.alloc(0);
    try {
      req.body = {
        bytes: bytes.length,
        json: JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as unknown,
      };
    } catch {
      throw new DomainError('invalid', 'Cannot parse JSON document: it is not valid JSON in UTF-8.');
    }
  }
  const bodyOf = (req: Request) => req.body as { bytes: number; json: unknown };
  const who = (req: Request, actor: Actor) => listener(ctx, actor, String(req.params.username));

  router.get(doors.lbValidateDoor.path, async (req, res) => {
    try {
      if (!BY_TOKEN.test(req.headers.authorization ?? '')) {
        await spend(res, 'scrobbler_address', addressOf(req));
        throw new DomainError('invalid', 'You need to provide an Authorization token.');
      }
      const { username } = await admit(req, res);
      res.json({ code: 200, message: 'Token valid.', valid: true, user_name: username });
    } catch (error) {
      const isUnknown =
        error instanceof DomainError && (error.code === 'unauthenticated' || error.code === 'account_disabled');
      if (isUnknown) res.json({ code: 200, message: 'Token invalid.', valid: false });
      else refuse(res, error);
    }
  });
  mount(doors.lbSubmitDoor, async (req, actor) => {
    const { bytes, json } = bodyOf(req);
    const submission = readSubmission(json, { bytes, now: epochSeconds(ctx.clock) });
    const { recording_msid } = await submitListens(ctx, actor, submission);
    const isAsked = String(req.query.return_msid).toLowerCase() === 'true';
    return isAsked && submission.listen_type === 'playing_now' ? { ...OK, recording_msid } : OK;
  });
  mount(doors.lbListensDoor, async (req, actor) => {
    const range = readRange(req.query);
    const whose = await who(req, actor);
    const page = await lbListens(ctx, whose, range);
    return { payload: { count: page.listens.length, user_id: whose.username, ...page } };
  });
  mount(doors.lbListenCountDoor, async (req, actor) => {
    return { payload: { count: await lbListenCount(ctx, await who(req, actor)) } };
  });
  mount(doors.lbPlayingNowDoor, async (req, actor) => {
    const whose = await who(req, actor);
    const now = presence.listeningOf(whose.id);
    const listens = now === null || now.state !== 'playing' ? [] : [lbPlayingNow(whose, now)];
    return { payload: { count: listens.length, user_id: whose.username, playing_now: true, listens } };
  });
  mount(doors.lbGiveFeedbackDoor, async (req, actor) => {
    await giveFeedback(ctx, actor, readFeedback(bodyOf(req).json));
    return OK;
  });
  mount(doors.lbGetFeedbackDoor, async (req, actor) => {
    const read = (name: string) => readInteger(name, req.query[name]);
    const [score, count, offset] = [read('score'), read('count') ?? 25, read('offset') ?? 0];
    if (score !== null && score !== 1 && score !== -1) {
      throw new DomainError('invalid', 'Score can have a value of 1 or -1.');
    }
    if (count < 0 || offset < 0) {
      throw new DomainError('invalid', "'count' and 'offset' should be non-negative integers.");
    }
    const whose = await who(req, actor);
    const page = await lbFeedback(ctx, whose, {
      score,
      count: Math.min(count, LISTENS_MAX),
      offset,
      withMetadata: String(req.query.metadata).toLowerCase() === 'true',
    });
    return { ...page, count: page.feedback.length, offset };
  });
  mount(doors.lbDeleteListenDoor, async (req, actor) => {
    await deleteToldListen(ctx, actor, readDeletion(bodyOf(req).json));
    return OK;
  });
  const serviceOf = (req: Request) => {
    const service = String(req.query.service ?? 'lastfm').toLowerCase();
    if (!/^[a-z0-9._-]{1,32}$/.test(service)) throw new DomainError('invalid', 'Service is not valid.');
    return service;
  };
  mount(doors.lbLatestImportDoor, async (req, actor) => {
    const { user_name } = req.query;
    if (user_name !== undefined && String(user_name).toLowerCase() !== actor.username.toLowerCase()) {
      throw new DomainError('not_found', 'There is no such user, or it is not yours to see.');
    }
    const latest_import = await latestImport(ctx, actor.user_id, serviceOf(req));
    return { musicbrainz_id: actor.username, latest_import };
  });
  mount(doors.lbSetLatestImportDoor, async (req, actor) => {
    await noteLatestImport(ctx, actor, serviceOf(req), readLatestImport(bodyOf(req).json));
    return OK;
  });

  const addresses = Map.groupBy(doors.LISTENBRAINZ_DOORS, ({ path }) => path);
  for (const [path, there] of addresses) {
    router.all(path.replace(/\{(\w+)\}/g, ':$1'), (_req, res) => {
      const methods = there.flatMap(({ method }) => (method === 'GET' ? ['GET', 'HEAD'] : [method]));
      res.set('allow', methods.sort().join(', '));
      refuse(res, new DomainError('method_not_allowed', `${PROBLEMS.method_not_allowed.title}.`));
    });
  }
  router.use('/1', (_req, res) => refuse(res, new DomainError('not_found', 'There is no such address.')));
  return router;
}
