import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import type { Ctx } from '#domain/context.ts';
import type { Connections } from '#rooms/connections.ts';

/** What operators watch, for Prometheus: sums alone, no person, title or address. */
export interface Metrics {
  /** An answer of the REST door, by the operation's name. */
  answered(operation: string, status: number, seconds: number): void;
  contentType: string;
  text(): Promise<string>;
  close(): void;
}

interface Watched {
  ctx: Ctx;
  connections: Connections;
  /** Playlists whose document is in memory. */
  openPlaylists(): number;
}

/** Of answers, in seconds: from a row read to an upload. */
const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];

export function createMetrics({ ctx, connections, openPlaylists }: Watched): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const answers = new Histogram({
    name: 'stepheybot_http_request_duration_seconds',
    help: 'Answers of the REST door',
    labelNames: ['operation', 'status'],
    buckets: BUCKETS,
    registers,
  });
  new Gauge({
    name: 'stepheybot_connections',
    help: 'Open sockets by door',
    labelNames: ['door'],
    registers,
    collect() {
      const all = connections.all();
      const gateway = all.filter((one) => one.isGateway).length;
      this.set({ door: 'gateway' }, gateway);
      this.set({ door: 'yjs' }, all.length - gateway);
    },
  });
  new Gauge({
    name: 'stepheybot_people_connected',
    help: 'People with at least one open socket',
    registers,
    collect() {
      this.set(new Set(connections.all().map(({ actor }) => actor.user_id)).size);
    },
  });
  new Gauge({
    name: 'stepheybot_playlists_open',
    help: 'Playlists whose document is in memory',
    registers,
    collect() {
      this.set(openPlaylists());
    },
  });
  const listens = new Counter({
    name: 'stepheybot_listens_total',
    help: 'Sessions that came to count as a listen',
    registers,
  });
  ctx.events.on('listen.recorded', () => listens.inc());

  return {
    answered: (operation, status, seconds) => answers.observe({ operation, status: String(status) }, seconds),
    contentType: registry.contentType,
    text: () => registry.metrics(),
    close: () => registry.clear(),
  };
}
