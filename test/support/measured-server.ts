/** A server as a program of its own that says how it is, and makes things happen without anybody doing them. */
import { spawn } from 'node:child_process';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { readConfig } from '#server/config.ts';
import { createServer } from '#server/create-server.ts';
import { createLog } from '#server/log.ts';
import { AMPLE } from './ample.ts';
import { serverSettings } from './server.ts';
import type { Folders } from './server.ts';
import type { TestIssuer } from './issuer.ts';

/** Tells people of a playlist, so many times a second in all, in turn; each notice is of about `bytes`. */
export interface Telling {
  user_ids: readonly string[];
  per_second: number;
  bytes: number;
}
type Order =
  | { order: 'measure'; isCollected: boolean }
  | { order: 'tell'; telling: Telling | null }
  | { order: 'tell each'; user_ids: readonly string[] };

export interface Measure {
  rssMb: number;
  /** Since it was last asked. */
  loopMaxMs: number;
  loopP99Ms: number;
  told: number;
}

export interface MeasuredServer {
  url: string;
  pid: number;
  /**
   * @param isCollected what nobody holds any more is let go of first: between two full collections, up to 80 MB of it
   * wait under a steady load, whatever the sockets do, so that a rise could not be told from it
   */
  measure(more?: { isCollected: boolean }): Promise<Measure>;
  tell(telling: Telling | null): Promise<void>;
  /** Tells each of them once of a playlist that is named as they are. */
  tellEach(user_ids: readonly string[]): Promise<void>;
  stop(): Promise<void>;
}

/** Starts it on the usual limits, or with ample ones. */
export async function startMeasuredServer(
  folders: Folders,
  issuer: TestIssuer,
  { limits = 'usual' }: { limits?: 'usual' | 'ample' } = {},
): Promise<MeasuredServer> {
  const child = spawn(
    process.execPath,
    ['--max-semi-space-size=4', '--no-parallel-scavenge', '--expose-gc', import.meta.filename, limits],
    {
      env: { PATH: process.env.PATH ?? '', ...serverSettings(folders, issuer) },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    },
  );
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const answerOf = <T>(order: Order | null): Promise<T> =>
    new Promise((resolve, reject) => {
      const onExit = (code: number | null) => reject(new Error(`the measured server ended with ${code}`));
      child.once('exit', onExit);
      child.once('message', (answer) => {
        child.off('exit', onExit);
        resolve(answer as T);
      });
      if (order !== null) child.send(order);
    });
  const { url } = await answerOf<{ url: string }>(null);
  return {
    url,
    pid: child.pid ?? 0,
    measure: ({ isCollected } = { isCollected: false }) => answerOf<Measure>({ order: 'measure', isCollected }),
    async tell(telling) {
      await answerOf({ order: 'tell', telling });
    },
    async tellEach(user_ids) {
      await answerOf({ order: 'tell each', user_ids });
    },
    async stop() {
      child.kill('SIGTERM');
      await exited;
    },
  };
}

async function serve(limits: 'usual' | 'ample'): Promise<void> {
  const server = await createServer({
    config: readConfig(process.env),
    log: createLog('error'),
    ...(limits === 'ample' ? AMPLE : {}),
  });
  server.scanner.start();
  await server.scanner.whenIdle();
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  let told = 0;
  let timer: NodeJS.Timeout | undefined;

  function tell(telling: Telling | null): void {
    clearInterval(timer);
    if (telling === null) return;
    const { user_ids, per_second, bytes } = telling;
    const playlist_id = 'x'.repeat(bytes);
    const startedMs = performance.now();
    let sent = 0;
    timer = setInterval(() => {
      const due = Math.floor(((performance.now() - startedMs) / 1000) * per_second);
      for (; sent < due; sent++) {
        const user_id = user_ids[sent % user_ids.length] ?? '';
        told += 1;
        void server.ctx.events.publish({
          name: 'playlist.member_changed',
          payload: { playlist_id, user_id, role: null },
        });
      }
    }, 5);
  }

  process.on('message', (order: Order) => {
    if (order.order === 'tell') {
      tell(order.telling);
      process.send?.({});
      return;
    }
    if (order.order === 'tell each') {
      for (const user_id of order.user_ids) {
        const payload = { playlist_id: user_id, user_id, role: null };
        void server.ctx.events.publish({ name: 'playlist.member_changed', payload });
      }
      process.send?.({});
      return;
    }
    if (order.isCollected) globalThis.gc?.();
    process.send?.({
      rssMb: process.memoryUsage.rss() / 1024 / 1024,
      loopMaxMs: delay.max / 1e6,
      loopP99Ms: delay.percentile(99) / 1e6,
      told,
    } satisfies Measure);
    delay.reset();
  });
  process.once('SIGTERM', () => {
    tell(null);
    void server.stop().then(() => process.exit(0));
  });
  process.send?.({ url: server.url });
}

if (process.argv[1] === import.meta.filename) await serve(process.argv[2] === 'ample' ? 'ample' : 'usual');
