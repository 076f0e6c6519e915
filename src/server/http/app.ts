import express from 'express';
import helmet from 'helmet';
import { logout } from '#contract/accounts.ts';
import {
  avatarDoor,
  coverDoor,
  DOORS,
  exportDoor,
  importDoor,
  importPlaylistsDoor,
  LISTENBRAINZ_DOORS,
  playlistCoverDoor,
  streamDoor,
  takeAvatarDoor,
  takePlaylistCoverDoor,
} from '#contract/doors.ts';
import { DomainError } from '#domain/errors.ts';
import { requireOwnRequest } from '../identity/origins.ts';
import { newIds } from '../ids.ts';
import { trustProxyOf } from '../limits/address.ts';
import { ENDPOINT_LIMITS } from '../limits/limits.ts';
import { pageLimits } from '../limits/page-limits.ts';
import { listenBrainzPaths, listenBrainzRouter } from './listenbrainz.ts';
import { addressesOf, mountDoor, mountRefusals, mountRoutes } from './mount.ts';
import { docsPage, openApiOf } from './openapi.ts';
import { servePlaylistFile, takePlaylistFile } from './playlist-files.ts';
import { sendProblem } from './problem.ts';
import type { KeptAnswers } from '#domain/answers/run-once.ts';
import type { Actor, Ctx } from '#domain/context.ts';
import type { PresenceRoom } from '#rooms/presence/presence-room.ts';
import type { Express, NextFunction, Request, Response } from 'express';
import type { Identity } from '../identity/identity.ts';
import type { AddressOf } from '../limits/address.ts';
import type { Metrics } from '../metrics.ts';
import type { Limiters } from '../limits/limiters.ts';
import type { ClientFiles } from './client-files.ts';
import type { MediaHandler } from './media.ts';
import type { Route } from './mount.ts';

interface PictureDoors {
  take(req: Request, res: Response, actor: Actor): Promise<void>;
  serve: MediaHandler;
}

export interface AppParts {
  ctx: Ctx;
  identity: Identity;
  routes: readonly Route[];
  media: { stream: MediaHandler; cover: MediaHandler };
  takeImport(req: Request, res: Response, actor: Actor): Promise<void>;
  presence: Pick<PresenceRoom, 'listeningOf'>;
  avatars: PictureDoors;
  playlistCovers: PictureDoors;
  client: ClientFiles;
  publicUrl: string;
  trustProxy: string | null;
  limiters: Limiters;
  answers: KeptAnswers;
  addressOf: AddressOf;
  metrics: Metrics;
  /** Something works less well than it should, and by itself again later. */
  isDegraded(): boolean;
  isReady(): Promise<boolean>;
}

/** What pages of ours may ask a browser for: nothing that a player needs. */
const PERMISSIONS = ['camera', 'microphone', 'geolocation', 'payment', 'usb', 'serial', 'hid', 'bluetooth', 'midi']
  .concat(['display-capture', 'browsing-topics', 'publickey-credentials-get'])
  .map((name) => `${name}=()`)
  .join(', ');

function once<T>(make: () => T): () => T {
  let made: { value: T } | null = null;
  return () => (made ??= { value: make() }).value;
}

/** Whether our session cookie would speak for this call; a token comes before it. */
function isByCookie({ headers }: Request): boolean {
  return headers.authorization === undefined && /(?:^|;\s*)(?:__Host-)?sbm_session=/.test(headers.cookie ?? '');
}

/**
 * [OP18] What the server does is for whoever runs it: programs on this machine, and administrators. Behind a proxy that is not
 * vouched for (TRUST_PROXY), everybody would seem to be on this machine.
 * @throws DomainError unauthenticated, forbidden
 */
async function requireOperator(req: Request, { identity, addressOf, trustProxy }: AppParts): Promise<void> {
  const isDirect = req.headers['x-forwarded-for'] === undefined && req.headers.forwarded === undefined;
  if ((isDirect || trustProxy !== null) && isLoopback(addressOf(req))) return;
  const { role } = await identity.authenticate(req, { door: 'http' });
  if (role !== 'admin') throw new DomainError('forbidden', 'This is for administrators.');
}

const isLoopback = (address: string) => address === '::1' || address.startsWith('127.') || address === '0:0:0:00';

/** The REST door, the client's files, and what operators ask. */
export function createApp(parts: AppParts): Express {
  const { ctx, identity, routes, media, avatars, playlistCovers, client, publicUrl, trustProxy, limiters, addressOf } =
    parts;
  const app = express();
  app.disable('x-powered-by');
  app.set('query parser', 'simple');
  app.set('etag', false);
  if (trustProxy !== null) app.set('trust proxy', trustProxyOf(trustProxy));
  const isHttps = publicUrl.startsWith('https:');
  const wsOrigin = publicUrl.replace(/^http/, 'ws');
  app.use(
    helmet({
      contentSecurityPolicy: {
        useDefaults: false,
        directives: {
          'default-src': ["'self'"],
          'script-src': ["'self'", ...client.scriptHashes],
          'style-src': ["'self'"],
          'img-src': ["'self'", 'data:', 'blob:'],
          'media-src': ["'self'", 'blob:'],
          'font-src': ["'self'"],
          'connect-src': ["'self'", wsOrigin],
          'object-src': ["'none'"],
          'base-uri': ["'none'"],
          // Signing out is a form that is sent on to an outside provider.
          'form-action': ["'self'", ...(identity.providerOrigin === null ? [] : [identity.providerOrigin])],
          'frame-ancestors': ["'none'"],
        },
      },
      strictTransportSecurity: isHttps,
      xFrameOptions: { action: 'deny' },
    }),
  );
  app.use((_req: Request, res: Response, next: NextFunction) => {
    const request_id = newIds.id();
    res.locals.request_id = request_id;
    const begunMs = performance.now();
    res.once('finish', () => {
      const { operation } = res.locals as { operation?: string };
      if (operation !== undefined)
        parts.metrics.answered(operation, res.statusCode, (performance.now() - begunMs) / 1000);
    });
    res.set({
      'x-request-id': request_id,
      'permissions-policy': PERMISSIONS,
      // Whatever may be kept says so itself, and is then kept for its caller alone.
      'cache-control': 'private, no-store',
    });
    next();
  });

  app.get('/healthz', (_req, res) => void res.json({ status: parts.isDegraded() ? 'degraded' : 'ok' }));
  app.get('/metrics', async (req, res) => {
    try {
      await requireOperator(req, parts);
      res.type(parts.metrics.contentType).send(await parts.metrics.text());
    } catch (error) {
      sendProblem(ctx, res, error);
    }
  });
  app.get('/readyz', async (_req, res) => {
    const ready = await parts.isReady();
    res.status(ready ? 200 : 503).json({ status: ready ? 'ready' : 'unready' });
  });
  app.use(listenBrainzPaths());
  app.use('/api/v1', listenBrainzRouter(parts));
  app.use('/api', (req: Request, res: Response, next: NextFunction) => {
    res.vary('Cookie, Authorization');
    try {
      if (isByCookie(req)) requireOwnRequest(req, (origin) => identity.isOwnOrigin(origin), 'http');
    } catch (error) {
      sendProblem(ctx, res, error);
      return;
    }
    next();
  });
  app.use(pageLimits(ctx, limiters, addressOf));
  app.use(identity.router);

  const endpoints = routes.map((route) => route.endpoint);
  const api = express.Router();
  // Both are made once, when first asked for: anybody may ask.
  const openApi = once(() =>
    JSON.stringify(openApiOf([...endpoints, logout], [...DOORS, ...LISTENBRAINZ_DOORS], publicUrl)),
  );
  const docs = once(() => docsPage([...endpoints, logout]));
  api.get('/openapi.json', (_req, res) => void res.set('cache-control', 'no-cache').type('json').send(openApi()));
  const admitMedia = async (req: Request): Promise<Actor> => {
    const actor = await identity.authenticate(req, { door: 'http' });
    await limiters.take('media', actor.user_id);
    return actor;
  };
  for (const [door, handle] of [
    [streamDoor, media.stream],
    [coverDoor, media.cover],
    [avatarDoor, avatars.serve],
    [playlistCoverDoor, playlistCovers.serve],
  ] as const) {
    mountDoor(api, ctx, admitMedia, door, (req, res, actor) =>
      handle(req, res, actor, String(Object.values(req.params)[0])),
    );
  }
  const admit = async (req: Request, operation: { name: string }): Promise<Actor> => {
    const actor = await identity.authenticate(req, { door: 'http' });
    await limiters.take('person', actor.user_id);
    const own = ENDPOINT_LIMITS[operation.name];
    if (own !== undefined) await limiters.take(own, actor.user_id);
    return actor;
  };
  for (const [door, handle] of [
    [takeAvatarDoor, avatars.take],
    [takePlaylistCoverDoor, playlistCovers.take],
    [importPlaylistsDoor, takePlaylistFile(ctx)],
    [exportDoor, servePlaylistFile(ctx)],
    [importDoor, parts.takeImport],
  ] as const) {
    mountDoor(api, ctx, (req) => admit(req, door), door, handle);
  }
  mountRoutes(api, { ctx, admit, answers: parts.answers }, routes);
  mountRefusals(api, ctx, addressesOf([...endpoints, logout, ...DOORS, { method: 'GET', path: '/openapi.json' }]));
  app.use('/api/v1', api);
  app.get('/api/docs', (_req, res) => void res.set('cache-control', 'no-cache').type('html').send(docs()));

  client.mount(app);
  app.use((_req, res) => sendProblem(ctx, res, new DomainError('not_found', 'There is no such address.')));
  app.use((error: unknown, _req: Request, res: Response, next: NextFunction) => {
    void next;
    sendProblem(ctx, res, error);
  });
  return app;
}
