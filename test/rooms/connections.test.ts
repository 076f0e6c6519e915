import { afterEach, expect, test, vi } from 'vitest';
import { createConnections } from '#rooms/connections.ts';
import type { Connection, Connections } from '#rooms/connections.ts';
import type { Actor } from '#domain/context.ts';

const actor: Actor = {
  user_id: 'ana',
  username: 'ana',
  role: 'user',
  provider_role: null,
  credential: { kind: 'session', session_id: 's', auth_time: 0 },
};

/** A connection that has a message under way until it is let go. */
function busy(more: Partial<Connection> = {}): { connection: Connection; store(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return {
    connection: { actor, device_id: 'phone', isGateway: true, end: () => {}, settled: () => promise, ...more },
    store: resolve,
  };
}

const ENDS: [string, (connections: Connections) => Promise<void>][] = [
  ['a session that ends', (all) => all.end('ana', { kind: 'session', session_id: 's' }, 'signed_out')],
  ['everything that ends', (all) => all.end('ana', { kind: 'everything' }, 'signed_out')],
  ['a role that changes', (all) => all.setRole('ana', 'guest')],
  ['a device that is forgotten', (all) => all.endDevice('ana', 'phone')],
];

/** Whether it is over once everything that can go on by itself has. */
async function isOver(ended: Promise<void>): Promise<boolean> {
  let over = false;
  void ended.then(() => (over = true));
  for (let i = 0; i < 20; i++) await Promise.resolve();
  return over;
}

test.each(ENDS)('[GW20] %s waits for what an open socket has under way', async (_what, end) => {
  const connections = createConnections({ nowMs: () => 0 });
  const { connection, store } = busy();
  connections.add(connection);
  const ended = end(connections);
  expect(await isOver(ended)).toBe(false);
  store();
  await ended;
});

// Seed 108 of the interleavings: whoever looks every 600 ms at who may still be here closed the socket between the commit of a
// sign-out and its notice, and eight starts of playing were stored after the sign-out's answer.
test.each(ENDS)('[GW20] %s waits for what a socket has under way that closed just before', async (_what, end) => {
  const connections = createConnections({ nowMs: () => 0 });
  const { connection, store } = busy();
  const forget = connections.add(connection);
  forget();
  const ended = end(connections);
  expect(await isOver(ended)).toBe(false);
  store();
  await ended;
  // And then nothing of it is left.
  expect(await isOver(end(connections))).toBe(true);
});

test('[GW20] what another session of the same person has under way keeps nobody waiting', async () => {
  const connections = createConnections({ nowMs: () => 0 });
  const { connection } = busy({
    actor: { ...actor, credential: { kind: 'session', session_id: 'other', auth_time: 0 } },
  });
  connections.add(connection)();
  expect(await isOver(ENDS[0]![1](connections))).toBe(true);
});

afterEach(() => void vi.useRealTimers());

test('[GW21] a token that is over ends its sockets, and not a millisecond before, however timers run', () => {
  vi.useFakeTimers();
  let nowMs = 0;
  const connections = createConnections({ nowMs: () => nowMs });
  const ended: number[] = [];
  const { connection } = busy({
    actor: { ...actor, credential: { kind: 'token', sid: null, issued_at: 0, expires_at: 4, auth_time: null } },
    end: () => ended.push(nowMs),
  });
  connections.add(connection);
  nowMs = 3_999;
  vi.advanceTimersByTime(4_000);
  expect(ended).toEqual([]);
  nowMs = 4_000;
  vi.advanceTimersByTime(1);
  expect(ended).toEqual([4_000]);
});
