/** Arguments, payloads and fields as an attacker, or a broken client, might send them. */
import { newIds } from '#server/ids.ts';
import type { Random } from './random.ts';

const NESTED = JSON.parse(`${'['.repeat(400)}${']'.repeat(400)}`) as unknown;

/** A value no client library would send, or one that nearly fits. */
export function oddValue(random: Random, track_id: string, depth = 0): unknown {
  const plain: unknown[] = [
    null,
    undefined,
    true,
    0,
    -1,
    1.5,
    NaN,
    Infinity,
    2 ** 53,
    -(2 ** 53),
    '',
    'x',
    track_id,
    'x'.repeat(300),
    '\u0000',
    '\ud800',
    'playing',
    'paused',
    'listen:start',
    'listen:progress',
    'listen:complete',
    'online',
    'web',
    'api',
    [],
    {},
    NESTED,
    Buffer.from([1, 2]),
    10,
    1e308,
    JSON.parse('{"__proto__":{"pp":1}}'),
    { constructor: { prototype: { pp: 1 } } },
    newIds.id(),
    crypto.randomUUID(),
    Date.now(),
  ];
  if (depth > 2 || random.next() < 0.6) return random.pick(plain);
  if (random.next() < 0.3) return Array.from({ length: random.int(4) }, () => oddValue(random, track_id, depth + 1));
  const names = [
    'track_id',
    'track_path',
    'position_ms',
    'source',
    'client_session_id',
    'client_info',
    'occurred_at_ms',
    'sent_at_ms',
    'session_id',
    'seq',
    'state',
    'rate',
    'status',
    't0_ms',
    'user_id',
    'token',
    'events',
    'event',
    'cursor',
    'time_zone',
    'evil',
    'toString',
    '__proto__',
  ];
  const object: Record<string, unknown> = {};
  for (let i = random.int(7); i > 0; i--) {
    Object.defineProperty(object, random.pick(names), {
      value: oddValue(random, track_id, depth + 1),
      enumerable: true,
      configurable: true,
    });
  }
  return object;
}

/** What an event may be sent with by somebody who means no good. */
export function oddArguments(random: Random, track_id: string): unknown[] {
  const args = Array.from({ length: random.next() < 0.8 ? 1 : random.int(5) }, () => oddValue(random, track_id));
  // Functions are left out by the client library; one in the middle is an acknowledgement nobody expects.
  if (random.next() < 0.05) args.unshift(() => {});
  return args;
}
