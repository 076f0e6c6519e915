import { EventEmitter } from 'node:events';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { PACKETS } from '#server/limits/limits.ts';
import { createLimiterFactory, createLimiters } from '#server/limits/limiters.ts';
import { createPacketLimit } from '#server/gateway/packet-limit.ts';
import { createLog } from '#server/log.ts';
import { bareGateway } from '../../support/bare-websocket.ts';
import { gatewayClient, restClient } from '../../support/clients.ts';
import { startIssuer } from '../../support/issuer.ts';
import { startMeasuredServer } from '../../support/measured-server.ts';
import { makeFolders } from '../../support/server.ts';
import type { Me } from '#contract/accounts.ts';
import type { PacketLimit } from '#server/gateway/packet-limit.ts';
import type { MeasuredServer } from '../../support/measured-server.ts';
import type { BareSocket } from '../../support/bare-websocket.ts';
import type { TestIssuer } from '../../support/issuer.ts';
import type { Folders } from '../../support/server.ts';

describe('one who does not take what they are sent', () => {
  let packets: PacketLimit;
  beforeEach(() => {
    vi.useFakeTimers({ now: 0, toFake: ['setInterval', 'setTimeout', 'Date', 'performance'] });
    packets = createPacketLimit(PACKETS, createLimiters(createLimiterFactory(null)), createLog('silent'));
  });
  afterEach(() => {
    packets.close();
    vi.useRealTimers();
  });

  /** A line as engine.io makes them, whose network is this test. */
  function newLine() {
    const webSocket = Object.assign(new EventEmitter(), { bufferedAmount: 0 });
    const line = Object.assign(new EventEmitter(), {
      readyState: 'open',
      transport: { socket: webSocket },
      request: { socket: Object.assign(new EventEmitter(), { destroy: () => undefined }) },
      close() {
        line.readyState = 'closed';
        line.emit('close');
      },
    });
    packets.watch(line as never);
    return { line, webSocket };
  }

  test('[GW40] is let go after ten seconds in which nothing of it was taken', () => {
    const { line, webSocket } = newLine();
    vi.advanceTimersByTime(60_000);
    webSocket.bufferedAmount = 5_000;
    vi.advanceTimersByTime(10_000);
    expect(line.readyState).toBe('open');
    vi.advanceTimersByTime(1_000);
    expect(line.readyState).toBe('closed');
  });

  test('[GW40] is kept for as long as something of it is taken, however slowly', () => {
    const { line, webSocket } = newLine();
    webSocket.bufferedAmount = 50_000;
    for (let i = 0; i < 5; i++) {
      vi.advanceTimersByTime(9_000);
      webSocket.bufferedAmount -= 1;
    }
    // All of it, and then more than before.
    vi.advanceTimersByTime(9_000);
    line.emit('flush');
    webSocket.bufferedAmount = 80_000;
    vi.advanceTimersByTime(9_000);
    expect(line.readyState).toBe('open');
    vi.advanceTimersByTime(2_000);
    expect(line.readyState).toBe('closed');
  });

  test('[GW11] is let go once 1 MiB waits for them, small packets counted for what they take', () => {
    const { line } = newLine();
    const large = { data: 'x'.repeat(100_000) };
    for (let i = 0; i < 10; i++) line.emit('packetCreate', large);
    expect(line.readyState).toBe('open');
    line.emit('flush');
    for (let i = 0; i < 4_000; i++) line.emit('packetCreate', { data: '' });
    expect(line.readyState).toBe('open');
    for (let i = 0; i < 200; i++) line.emit('packetCreate', { data: '' });
    expect(line.readyState).toBe('closed');
  });
});

describe('fifty of five hundred sockets stop reading, at a program of its own', () => {
  const PEOPLE = 50;
  const SOCKETS_EACH = 10;
  const SLOW_PEOPLE = 5;
  let folders: Folders;
  let issuer: TestIssuer;
  let server: MeasuredServer;
  beforeAll(async () => {
    folders = makeFolders();
    issuer = await startIssuer();
    server = await startMeasuredServer(folders, issuer, { limits: 'ample' });
  });
  afterAll(async () => {
    await server.stop();
    await issuer.close();
    folders.remove();
  });

  test(
    '[GW40] at 1,000 notices a second the slow are let go, memory stays, and others do not notice',
    { timeout: 120_000 },
    async () => {
      const people = await Promise.all(
        Array.from({ length: PEOPLE }, async (_one, i) => {
          const token = await issuer.issueAccessToken(
            { sub: `p${i}`, username: `person${i}`, roles: ['user'] },
            { exp: Math.floor(Date.now() / 1000) + 3_600 },
          );
          return { token, id: (await restClient(server.url, token).get<Me>('/auth/profile')).id };
        }),
      );
      const slow = people.slice(0, SLOW_PEOPLE);
      const quick = people.slice(SLOW_PEOPLE);
      const lines: BareSocket[][] = [];
      for (const { token } of people) {
        lines.push(await Promise.all(Array.from({ length: SOCKETS_EACH }, () => bareGateway(server.url, token))));
      }
      const slowLines = lines.slice(0, SLOW_PEOPLE).flat();
      const quickLines = lines.slice(SLOW_PEOPLE).flat();
      for (const { socket } of [...slowLines, ...quickLines]) {
        // What is only counted by the other end must not fill this one's memory.
        socket.removeAllListeners('data');
        socket.on('data', () => undefined);
      }
      const probeToken = await issuer.issueAccessToken({ sub: 'probe', username: 'probe', roles: ['user'] });
      const probe = await gatewayClient(server.url, probeToken);
      const latencies: number[] = [];
      const measureFor = async (ms: number) => {
        const untilMs = performance.now() + ms;
        latencies.length = 0;
        while (performance.now() < untilMs) {
          const askedMs = performance.now();
          expect((await probe.request('clock:sync', { t0_ms: 1 })).ok).toBe(true);
          latencies.push(performance.now() - askedMs);
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
        return [...latencies].sort((a, b) => a - b)[Math.ceil(latencies.length * 0.99) - 1] ?? Infinity;
      };

      // Half of the notices go to the tenth that will not read, so that what waits for them is worth something.
      const to = Array.from({ length: quick.length }, (_one, i) => [slow[i % slow.length]!.id, quick[i]!.id]).flat();
      const telling = { user_ids: to, per_second: 1_000, bytes: 3_000 };
      await server.tell(telling);
      const before = await measureFor(3_000);
      const { rssMb } = await server.measure({ isCollected: true });
      let most = rssMb;
      let isOver = false;
      const watching = (async () => {
        while (!isOver) {
          most = Math.max(most, (await server.measure({ isCollected: true })).rssMb);
          await new Promise((resolve) => setTimeout(resolve, 500));
        }
      })();

      const startedMs = performance.now();
      for (const { socket } of slowLines) socket.pause();
      const whileSlow = await measureFor(18_000);
      await server.tell(null);
      isOver = true;
      await watching;
      const { told } = await server.measure();
      const tookS = (performance.now() - startedMs) / 1000;
      // Paused, they hear that they were closed only once they read again.
      for (const { socket } of slowLines) socket.resume();
      await Promise.all(slowLines.map((line) => line.closed));
      const stillOpen = quickLines.filter(({ socket }) => !socket.destroyed).length;
      process.stdout.write(
        `slow readers: ${slowLines.length} of ${slowLines.length + quickLines.length} let go within ${tookS.toFixed(0)} s, ` +
          `${told} notices told, RSS +${(most - rssMb).toFixed(1)} MB, another's p99 ${whileSlow.toFixed(1)} ms (${before.toFixed(1)} before)\n`,
      );
      expect(stillOpen).toBe(quickLines.length);
      expect(most - rssMb).toBeLessThan(64);
      expect(whileSlow).toBeLessThan(250 + before);
      for (const { socket } of quickLines) socket.destroy();
      probe.close();
    },
  );
});
