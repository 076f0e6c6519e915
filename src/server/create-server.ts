import { createServer as createHttpServer } from 'node:http';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { migrate, migrateSqliteFile } from '#db/migrate.ts';
import { openPostgresKysely, openSqliteDatabase, wrapPostgres } from '#db/open.ts';
import { createKeptAnswers } from '#domain/answers/run-once.ts';
import { createEventBus } from '#domain/events.ts';
import { createPlaybacks } from '#domain/listens/playbacks.ts';
import { createAnalyser } from '#domain/library/features/analyser.ts';
import { createScanner } from '#domain/library/scanner.ts';
import { listenImports } from '#domain/listens/listens.jobs.ts';
import { matchRecordings } from '#domain/listens/match-recordings.ts';
import { createSounds } from '#domain/recommendations/sounds.ts';
import { prepareSearch } from '#domain/search/rebuild-search.ts';
import { createAudiences } from '#rooms/audience.ts';
import { createConnections } from '#rooms/connections.ts';
import { createFeedRoom } from '#rooms/feed/feed-room.ts';
import { startFanout } from '#rooms/fanout.ts';
import { createPlaylistRooms } from '#rooms/playlist/registry.ts';
import { createPresenceRoom } from '#rooms/presence/presence-room.ts';
import { createPrivateSessions } from '#rooms/private-sessions.ts';
import { keepFeedShort } from './feed-retention.ts';
import { createGateway } from './gateway/gateway.ts';
import { createPacketLimit } from './gateway/packet-limit.ts';
import { createApp } from './http/app.ts';
import { serveAvatar, takeAvatar } from './http/avatars.ts';
import { clientFiles } from './http/client-files.ts';
import { takeImport } from './http/imports.ts';
import { serveCover, streamTrack } from './http/media.ts';
import { servePlaylistCover, takePlaylistCover } from './http/playlist-covers.ts';
import { accountsRoutes } from './http/routes/accounts.ts';
import { adminRoutes } from './http/routes/admin.ts';
import { jobsRoutes } from './http/routes/jobs.ts';
import { libraryRoutes } from './http/routes/library.ts';
import { listensRoutes } from './http/routes/listens.ts';
import { playlistsRoutes } from './http/routes/playlists.ts';
import { privateSessionRoutes } from './http/routes/private-session.ts';
import { recommendationsRoutes } from './http/routes/recommendations.ts';
import { secondFactorRoutes } from './http/routes/second-factor.ts';
import { securityRoutes } from './http/routes/security.ts';
import { socialRoutes } from './http/routes/social.ts';
import { favoriteRoutes } from './http/routes/favorites.ts';
import { statsRoutes } from './http/routes/stats.ts';
import { createIdentity } from './identity/identity.ts';
import { newIds } from './ids.ts';
import { createJobRunner } from './jobs/runner.ts';
import { watchEpochs } from './epoch-watch.ts';
import { createImageProcess } from './media/image-process.ts';
import { watchRenewals } from './renewal-watch.ts';
import { createAddressOf } from './limits/address.ts';
import { createGuard } from './limits/guard.ts';
import { createLimiterFactory, createLimiters } from './limits/limiters.ts';
import { LIMITS, PACKETS } from './limits/limits.ts';
import { openSharedStore } from './limits/shared-store.ts';
import { openSecretBox } from './secrets.ts';
import { watchRevocations } from './revocation-watch.ts';
import { createMetrics } from './metrics.ts';
import { createPlaylistSync } from './sync/playlist-sync.ts';
import { listenForUpgrades } from './upgrade.ts';
import type { Database } from '#db/open.ts';
import type { Ctx } from '#domain/context.ts';
import type { Schema } from '#domain/database.ts';
import type { Analyser } from '#domain/library/features/analyser.ts';
import type { Scanner } from '#domain/library/scanner.ts';
import type { Clock, Ids, Log } from '#domain/ports.ts';
import type { Identity } from './identity/identity.ts';
import type { JobRunner } from './jobs/runner.ts';
import type { Config } from './config.ts';
import type { Express } from 'express';
import type { Limits } from './limits/limits.ts';
import type { PlaylistRoomsOptions } from '#rooms/playlist/registry.ts';
import type { Rate } from '#rooms/token-bucket.ts';
import type { RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';

const ROOT = path.resolve(import.meta.dirname, '../..');
export const MIGRATIONS_DIR = path.join(ROOT, 'migrations');
export const CLIENT_DIR = path.join(ROOT, 'client/build');

export interface ServerOptions {
  config: Config;
  log: Log;
  clock?: Clock;
  ids?: Ids;
  /** Tests hand in a database of their own, already migrated. */
  database?: Database<Schema>;
  clientDir?: string;
  /** Other limits than the usual: measures and fuzzers ask more than anybody does. */
  limits?: Partial<Limits>;
  /** What a gateway socket may send, if not the usual. */
  packets?: Rate;
  /** How long (ms) after a departure it shows, if not a random time. */
  offlineDelayMs?: () => number;
  /** What a playlist's socket may send, and how long an empty room stays open, if not the usual. */
  playlists?: PlaylistRoomsOptions;
}

export interface RunningServer {
  /** Where it listens, e.g. `http://127.0.0.1:3000`. */
  url: string;
  publicUrl: string;
  ctx: Ctx;
  identity: Identity;
  scanner: Scanner;
  /** Follows the scans once it is started: tests that ask nothing of sounds leave it. */
  analyser: Analyser;
  jobs: JobRunner;
  /** The HTTP doors, so that tests can list every route there is. */
  app: Express;
  /** Rooms of the gateway, so that tests see that nobody makes any. */
  roomCount(): number;
  /** Ends in order: no new work, sockets told, rooms stored, database closed. */
  stop(): Promise<void>;
}

const systemClock: Clock = { nowMs: () => Date.now() };

/** Opens the configured database, migrated to this code. */
export async function openConfiguredDatabase(config: Config, log: Log): Promise<Database<Schema>> {
  if (config.databaseUrl !== null) {
    const kysely = await openPostgresKysely<Schema>(config.databaseUrl, (error) =>
      log.warn('a database connection broke', { kind: error.name }),
    );
    await migrate(kysely as never, MIGRATIONS_DIR);
    return wrapPostgres(kysely);
  }
  const file = path.join(config.dataDir, 'stepheybot.db');
  await migrateSqliteFile(file, MIGRATIONS_DIR);
  return openSqliteDatabase<Schema>(file);
}

/** Joins the parts and listens: the one place where they meet. Tests call it too. */
export async function createServer(options: ServerOptions): Promise<RunningServer> {
  const { config, log } = options;
  await mkdir(config.dataDir, { recursive: true, mode: 0o700 });
  const database = options.database ?? (await openConfiguredDatabase(config, log));

  // The port comes first: with PORT=0 our own address, and so the issuer's, is known only then.
  let answer: RequestListener = (_req, res) => {
    res.writeHead(503, { 'retry-after': '1', 'content-type': 'text/plain' }).end('starting\n');
  };
  const http = createHttpServer((req, res) => answer(req, res));
  try {
    await new Promise<void>((resolve, reject) => {
      http.once('error', reject);
      http.listen(config.port, config.host, () => {
        http.off('error', reject);
        resolve();
      });
    });
  } catch (error) {
    if (options.database === undefined) await database.close();
    throw error;
  }
  const { port } = http.address() as AddressInfo;
  const url = `http://${config.host.includes(':') ? `[${config.host}]` : config.host}:${port}`;
  const publicUrl = config.publicUrl ?? `http://127.0.0.1:${port}`;

  const rooms = createPlaylistRooms(() => ctx, options.playlists);
  const ctx: Ctx = {
    db: database.db,
    write: (fn) => database.write(fn),
    writeUnit: (unit, after) => database.writeUnit(unit, after),
    turnToWrite: () => database.turnToWrite(),
    dialect: database.dialect,
    clock: options.clock ?? systemClock,
    ids: options.ids ?? newIds,
    log,
    events: createEventBus((error, name) => log.error('a consequence of an event failed', { name }, error)),
    files: { musicDirs: config.musicDirs, dataDir: config.dataDir },
    secrets: openSecretBox(config),
    playlistDocs: rooms,
    playbacks: createPlaybacks(),
  };
  const ended = new AbortController();
  const search = await prepareSearch(ctx, ended.signal);
  const scanner = createScanner(ctx);
  const analyser = createAnalyser(ctx, scanner);
  const jobs = createJobRunner(ctx, { listen_import: listenImports(ctx) });
  // What was heard elsewhere may be among the new tracks.
  ctx.events.on('library.scanned', async () => void (await matchRecordings(ctx)));
  const store = config.redisUrl === null ? null : await openSharedStore(config.redisUrl, log);
  const newLimiter = createLimiterFactory(store);
  const limiters = createLimiters(newLimiter, { ...LIMITS, ...options.limits });
  const addressOf = createAddressOf(config.trustProxy);
  const identity = await createIdentity({
    ctx,
    guard: createGuard(limiters, addressOf),
    newLimiter,
    config: {
      publicUrl,
      ownOrigins: [],
      listenUrl: () => loopbackOf(config.host, port),
      dataDir: config.dataDir,
      oidcIssuer: config.oidcIssuer,
      oidcClientId: config.oidcClientId,
      oidcClientSecret: config.oidcClientSecret,
      oidcAudience: config.oidcAudience,
      oidcAllowedClients: config.oidcAllowedClients,
      oidcInsecure: config.oidcInsecure,
    },
  });

  const gateway = createGateway();
  const { broadcaster } = gateway;
  const connections = createConnections(ctx.clock);
  const presence = createPresenceRoom(ctx, broadcaster, { offlineDelayMs: options.offlineDelayMs });
  const audiences = createAudiences(ctx, broadcaster);
  const feed = createFeedRoom(ctx, broadcaster);
  const privateSessions = createPrivateSessions(ctx, (user_id) => audiences.refreshViewersOf(user_id));
  startFanout(ctx, { broadcaster, audiences, presence, connections, playlistRooms: rooms, feed, privateSessions });
  await privateSessions.start();
  const packets = createPacketLimit(options.packets ?? PACKETS, limiters, log);
  gateway.start({ ctx, identity, connections, audiences, presence, feed, packets });
  const sync = createPlaylistSync({ ctx, identity, rooms, connections });
  const stopWatching = watchRevocations(ctx, identity, connections);
  const stopTidying = keepFeedShort(ctx);
  const stopLookingAtEpochs = watchEpochs(ctx, rooms);
  const stopRenewing = watchRenewals(ctx, identity, connections);

  let isStopping = false;
  const images = createImageProcess();
  const answers = createKeptAnswers(ctx);
  const metrics = createMetrics({ ctx, connections, openPlaylists: () => rooms.openCount() });
  const routes = [
    ...accountsRoutes,
    ...adminRoutes({ publicUrl, hasLocalAccounts: config.oidcIssuer === null }),
    ...securityRoutes(connections),
    ...secondFactorRoutes(identity.backoff),
    ...jobsRoutes,
    ...libraryRoutes(scanner, analyser, limiters),
    ...listensRoutes,
    ...privateSessionRoutes,
    ...playlistsRoutes({ publicUrl }),
    ...socialRoutes(presence),
    ...statsRoutes,
    ...favoriteRoutes,
    ...recommendationsRoutes(createSounds(ctx)),
  ];
  const app = createApp({
    ctx,
    identity,
    routes,
    media: { stream: streamTrack(ctx), cover: serveCover(ctx, images) },
    avatars: { take: takeAvatar(ctx, images), serve: serveAvatar(ctx) },
    takeImport: takeImport(ctx),
    presence,
    playlistCovers: { take: takePlaylistCover(ctx, images), serve: servePlaylistCover(ctx) },
    client: clientFiles(options.clientDir ?? CLIENT_DIR),
    publicUrl,
    trustProxy: config.trustProxy,
    limiters,
    answers,
    addressOf,
    metrics,
    isDegraded: () => store !== null && !store.isUp(),
    isReady: async () => {
      if (isStopping) return false;
      try {
        await ctx.db.selectFrom('users').select('id').limit(1).execute();
        return true;
      } catch (error) {
        log.warn('not ready', { kind: error instanceof Error ? error.name : '' });
        return false;
      }
    },
  });
  answer = app;
  jobs.start();
  const cutUpgraded = listenForUpgrades(
    http,
    ctx,
    {
      gateway: (req, socket, head) => gateway.handleUpgrade(req, socket, head),
      playlistSync: (req, socket, head) => sync.handleUpgrade(req, socket, head),
    },
    (req) => limiters.take('handshake', addressOf(req)),
  );

  return {
    url,
    publicUrl,
    ctx,
    identity,
    scanner,
    analyser,
    jobs,
    app,
    roomCount: () => gateway.roomCount(),
    async stop() {
      isStopping = true;
      stopWatching();
      stopRenewing();
      stopTidying();
      privateSessions.close();
      stopLookingAtEpochs();
      const closed = new Promise<void>((resolve) => http.close(() => resolve()));
      http.closeIdleConnections();
      connections.endAll('restart');
      ended.abort();
      await Promise.all([scanner.stop(), analyser.stop(), jobs.stop(), search.ready]);
      await rooms.close();
      presence.close();
      sync.close();
      await gateway.close();
      packets.close();
      // Answers under way get a moment; a stream in the middle of a song does not hold us up.
      const patience = setTimeout(() => {
        http.closeAllConnections();
        cutUpgraded();
      }, 2_000);
      await closed;
      clearTimeout(patience);
      images.close();
      answers.close();
      metrics.close();
      await identity.close();
      store?.close();
      if (options.database === undefined) await database.close();
    },
  };
}

/** Where this process reaches itself, when it listens on every address. */
function loopbackOf(host: string, port: number): string {
  if (host === '0.0.0.0') return `http://127.0.0.1:${port}`;
  if (host === '::') return `http://[::1]:${port}`;
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
