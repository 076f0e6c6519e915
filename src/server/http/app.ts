import express from 'express';
import helmet from 'helmet';
import { logout } from '#contract/accounts.ts';
import { avatarDoor, coverDoor, DOORS, streamDoor, takeAvatarDoor } from '#contract/doors.ts';
import { DomainError } from '#domain/errors.ts';
import { newIds } from '../ids.ts';
import { addressesOf, mountDoor, mountRefusals, mountRoutes } from './mount.ts';
import { docsPage, openApiOf } from './openapi.ts';
import { sendProblem } from './problem.ts';
import type { Actor, Ctx } from '#domain/context.ts';
import type { Express, NextFunction, Request, Response } from 'express';
import type { Identity } from '../identity/identity.ts';
import type { ClientFiles } from './client-files.ts';
import type { MediaHandler } from './media.ts';
import type { Route } from './mount.ts';

export interface AppParts {
  ctx: Ctx;
  identity: Identity;
  routes: readonly Route[];
  media: { stream: MediaHandler; cover: MediaHandler };
  avatars: { take(req: Request, res: Response, actor: Actor): Promise<void>; serve: MediaHandler };
  client: ClientFiles;
  publicUrl: string;
  trustProxy: string | null;
  isReady(): Promise<boolean>;
}

/** TRUST_PROXY as Express takes it: a number of hops, a switch, or addresses. */
function trustProxyOf(value: string): string | number | boolean {
  if (/^\d+$/.test(value)) return Number(value);
  return value === 'true' ? true : value === 'false' ? false : value;
}

/** The REST door, the client's files, and what operators ask. */
export function createApp({
  ctx,
  identity,
  routes,
  media,
  avatars,
  client,
  publicUrl,
  trustProxy,
  isReady,
}: AppParts): Express {
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
    }),
  );
  app.use((_req: Request, res: Response, next: NextFunction) => {
    const request_id = newIds.id();
    res.locals.request_id = request_id;
    res.set('x-request-id', request_id);
    next();
  });

  app.get('/healthz', (_req, res) => void res.set('cache-control', 'no-store').json({ status: 'ok' }));
  app.get('/readyz', async (_req, res) => {
    const ready = await isReady();
    res
      .set('cache-control', 'no-store')
      .status(ready ? 200 : 503)
      .json({ status: ready ? 'ready' : 'unready' });
  });
  app.use(identity.router);

  const endpoints = routes.map((route) => route.endpoint);
  const api = express.Router();
  api.get('/openapi.json', (_req, res) => void res.json(openApiOf([...endpoints, logout], DOORS, publicUrl)));
  const authenticate = (req: Request) => identity.authenticate(req, { door: 'http' });
  for (const [door, handle] of [
    [streamDoor, media.stream],
    [coverDoor, media.cover],
    [avatarDoor, avatars.serve],
  ] as const) {
    mountDoor(api, ctx, authenticate, door, (req, res, actor) =>
      handle(req, res, actor, String(req.params.track_id ?? req.params.avatar_id)),
    );
  }
  mountDoor(api, ctx, authenticate, takeAvatarDoor, avatars.take);
  mountRoutes(api, ctx, authenticate, routes);
  mountRefusals(api, ctx, addressesOf([...endpoints, logout, ...DOORS, { method: 'GET', path: '/openapi.json' }]));
  app.use('/api/v1', api);
  app.get('/api/docs', (_req, res) => void res.type('html').send(docsPage([...endpoints, logout])));

  client.mount(app);
  app.use((_req, res) => sendProblem(ctx, res, new DomainError('not_found', 'There is no such address.')));
  app.use((error: unknown, _req: Request, res: Response, next: NextFunction) => {
    void next;
    sendProblem(ctx, res, error);
  });
  return app;
}
