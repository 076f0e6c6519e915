import type { Log } from '#domain/ports.ts';
import type { Redis } from 'ioredis';

/** A command that takes longer is given up, and this process counts for itself (ms). */
const COMMAND_MS = 500;
/** How often a silent Redis is asked whether it is there (ms): one that hangs is noticed within this and COMMAND_MS. */
const ASK_EVERY_MS = 2_000;
/** Longest pause between two tries to connect (ms): it is back within ten seconds of being there again (trust.md R11). */
const RETRY_MS = 2_000;
/** Errors of one outage are said once in so long (ms). */
const SAY_EVERY_MS = 60_000;

/** What Redis itself answers begins with a word that names the mistake, such as WRONGPASS. */
function codeOf(error: Error): string {
  if ('code' in error && typeof error.code === 'string') return error.code;
  return (error.name === 'ReplyError' ? /^[A-Z]+/.exec(error.message)?.[0] : undefined) ?? error.name;
}

/** The Redis or Valkey that several processes share. It may be away at any time: nothing waits for it. */
export interface SharedStore {
  client: Redis;
  isUp(): boolean;
  close(): void;
}

/**
 * Begins to connect; answers at once, whether or not anybody is there. `url` holds a password perhaps, so only its host is
 * ever logged. ioredis is loaded here and nowhere else: a single process does without it (docs/decisions/0006).
 */
export async function openSharedStore(url: string, log: Log): Promise<SharedStore> {
  const { Redis } = await import('ioredis');
  const { host } = new URL(url);
  const client = new Redis(url, {
    lazyConnect: true,
    // What cannot be asked now is counted here instead, never later.
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    connectTimeout: RETRY_MS,
    commandTimeout: COMMAND_MS,
    retryStrategy: (times) => Math.min(times * 200, RETRY_MS),
    disableClientInfo: true,
    connectionName: 'stepheybot-music',
  });
  let saidAtMs = Number.NEGATIVE_INFINITY;
  let isAway = false;
  let isClosed = false;

  function away(code: string): void {
    if (isClosed) return;
    isAway = true;
    const nowMs = performance.now();
    if (nowMs - saidAtMs < SAY_EVERY_MS) return;
    saidAtMs = nowMs;
    log.warn('Redis cannot be used; this process counts for itself until it can', { host, code });
  }
  client.on('error', (error) => away(codeOf(error)));
  client.on('close', () => away('closed'));
  client.on('ready', () => {
    if (isAway) log.info('Redis is back', { host });
    isAway = false;
  });
  // The failure itself is told by 'error', and the next try comes by itself.
  client.connect().catch((error: Error) => away(codeOf(error)));

  const asking = setInterval(() => {
    if (client.status !== 'ready') return;
    client.ping().catch((error: Error) => {
      away(codeOf(error));
      // It may hang with its connection open: come back only when it answers.
      if (client.status === 'ready') client.disconnect(true);
    });
  }, ASK_EVERY_MS);
  asking.unref();

  log.info('Redis shares rate limits between processes; open rooms and sockets are still of one process each', {
    host,
  });
  return {
    client,
    isUp: () => client.status === 'ready',
    close() {
      isClosed = true;
      clearInterval(asking);
      client.disconnect();
    },
  };
}
