/** A bad line between a client and a server: it breaks connections where it hurts, by a seeded chance. */
import { createConnection, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import type { Random } from './random.ts';

export interface CuttingProxy {
  /** The server's address as it is reached through here. */
  url: string;
  /** Connections cut so far, by where: nothing had arrived, all had and no answer was back, in the middle of the answer. */
  cuts: { before: number; after: number; amid: number };
  close(): Promise<void>;
}

/** A proxy in front of `target` that cuts about `share` of all connections. */
export async function startCuttingProxy(target: string, chance: Random, share: number): Promise<CuttingProxy> {
  const { hostname, port } = new URL(target);
  const cuts = { before: 0, after: 0, amid: 0 };
  const open = new Set<Socket>();
  const server = createServer((near) => {
    open.add(near);
    near.on('error', () => {}).once('close', () => open.delete(near));
    const where = chance.next() < share ? chance.pick(['before', 'after', 'amid'] as const) : null;
    if (where === 'before') {
      cuts.before++;
      // It is let say what it wants, and nothing of it goes on.
      near.once('data', () => near.destroy());
      return;
    }
    const far = createConnection({ host: hostname, port: Number(port) });
    open.add(far);
    far.on('error', () => near.destroy()).once('close', () => open.delete(far));
    near.pipe(far);
    near.once('close', () => far.destroy());
    if (where === null) {
      far.pipe(near);
      return;
    }
    far.once('data', (answer: Buffer) => {
      if (where === 'after') near.destroy();
      else near.end(answer.subarray(0, 1 + chance.int(answer.length - 1)));
      far.destroy();
      cuts[where]++;
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cuts,
    async close() {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
