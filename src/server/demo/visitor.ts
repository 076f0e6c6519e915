/** A demo person's programs: they come in by the same doors as a browser, with the session a sign-in gave them. */
import { setTimeout } from 'node:timers/promises';
import { io } from 'socket.io-client';
import { WebSocket } from 'ws';
import { WebsocketProvider } from 'y-websocket';
import * as Y from 'yjs';
import { addEntries, moveEntries, readList, removeEntries } from '#contract/playlist-doc.ts';
import { newIds } from '../ids.ts';
import { outbound } from '../outbound.ts';
import type { ClientToServerEvents, ServerToClientEvents } from '#contract/gateway.ts';
import type { Track } from '#contract/library.ts';
import type { Socket } from 'socket.io-client';
import type { Seeded } from './seeded.ts';

/** What a browser sends along after signing in. */
export interface Visitor {
  username: string;
  user_id: string;
  headers: { cookie: string; origin: string };
}

/** More steps than a sign-in has. */
const MAX_STEPS = 10;
/** As the web client reports. */
const REPORT_EVERY_MS = 5_000;
const MAX_LIST = 18;
const MIN_LIST = 8;

/** Signs in as a browser does: from the sign-in address through the provider's form back to us, with a cookie jar. */
export async function signIn(
  publicUrl: string,
  who: { username: string; password: string; user_id: string },
): Promise<Visitor> {
  const fetch = outbound({ trusted: true, insecure: true });
  const jar = new Map<string, string>();
  const cookie = () => [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
  const call = async (address: string, form?: Record<string, string>) => {
    const response = await fetch(address, {
      method: form === undefined ? 'GET' : 'POST',
      headers: { cookie: cookie(), origin: publicUrl, accept: 'text/html' },
      ...(form === undefined ? {} : { body: new URLSearchParams(form) }),
    });
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (value === '') jar.delete(name);
      else jar.set(name, value);
    }
    return response;
  };
  let address = `${publicUrl}/api/v1/auth/login?return_to=/`;
  let form: Record<string, string> | undefined;
  for (let step = 0; step < MAX_STEPS; step++) {
    const response = await call(address, form);
    form = undefined;
    const location = response.headers.get('location');
    if (location !== null) {
      address = new URL(location, address).href;
      if (address === `${publicUrl}/`) {
        return { username: who.username, user_id: who.user_id, headers: { cookie: cookie(), origin: publicUrl } };
      }
    } else if (response.status === 200 && new URL(address).pathname.startsWith('/oidc/interaction/')) {
      form = { username: who.username, password: who.password };
    } else {
      throw new Error(`signing in as ${who.username} ended at ${new URL(address).pathname} with ${response.status}`);
    }
  }
  throw new Error(`signing in as ${who.username} went round in circles`);
}

/** Listens to music for as long as `signal` lets it: track after track, with a pause, a seek or a skip at times. */
export function startListening(
  publicUrl: string,
  visitor: Visitor,
  tracks: readonly Track[],
  chance: Seeded,
  signal: AbortSignal,
): Promise<void> {
  const socket: Socket<ServerToClientEvents, ClientToServerEvents> = io(publicUrl, {
    transports: ['websocket'],
    extraHeaders: visitor.headers,
  });
  const wait = (ms: number) => setTimeout(ms, undefined, { signal });

  async function playOne(track: Track): Promise<void> {
    const lengthMs = (track.duration ?? 40) * 1000;
    const clock = () => ({ occurred_at_ms: Date.now(), sent_at_ms: Date.now() });
    const started = await socket.timeout(10_000).emitWithAck('listen:start', {
      track_id: track.id,
      source: 'web',
      client_session_id: crypto.randomUUID(),
      ...clock(),
    });
    if (!started.ok) throw new Error(started.problem.detail);
    const { session_id } = started.data;
    const endMs = chance.next() < 0.2 ? lengthMs * chance.next() : lengthMs;
    let seq = 0;
    const report = (position_ms: number, state: 'playing' | 'paused') =>
      socket.timeout(10_000).emitWithAck('listen:progress', { session_id, seq: ++seq, position_ms, state, ...clock() });
    let position = 0;
    while (position < endMs) {
      const stepMs = Math.min(REPORT_EVERY_MS, endMs - position);
      await wait(stepMs);
      position += stepMs;
      await report(position, 'playing');
      if (chance.next() < 0.06) {
        await report(position, 'paused');
        await socket.timeout(10_000).emitWithAck('presence:set', { status: 'away' });
        await wait(chance.between(4, 12) * 1000);
        await socket.timeout(10_000).emitWithAck('presence:set', { status: 'online' });
        await report(position, 'playing');
      }
    }
    await socket
      .timeout(10_000)
      .emitWithAck('listen:complete', { session_id, seq: ++seq, position_ms: position, ...clock() });
  }

  return untilAborted(signal, async () => {
    try {
      for (;;) {
        try {
          await playOne(chance.pick(tracks));
          await wait(chance.between(1, 6) * 1000);
        } catch (error) {
          if (signal.aborted) throw error;
          // A connection that broke comes back by itself; the track it was at is over.
          await wait(2_000);
        }
      }
    } finally {
      socket.disconnect();
    }
  });
}

/** Edits a playlist with the stock provider now and then: adds, moves, takes away what it added itself. */
export function startEditing(
  publicUrl: string,
  visitor: Visitor,
  playlist_id: string,
  tracks: readonly Track[],
  chance: Seeded,
  signal: AbortSignal,
): Promise<void> {
  // The provider opens its sockets itself; Node's own WebSocket takes no headers, ws does.
  class SignedIn extends WebSocket {
    constructor(address: string, protocols?: string[]) {
      super(address, protocols, { headers: visitor.headers });
    }
  }
  const doc = new Y.Doc();
  const provider = new WebsocketProvider(`${publicUrl.replace(/^http/, 'ws')}/yjs`, playlist_id, doc, {
    disableBc: true,
    WebSocketPolyfill: SignedIn as never,
  });
  const edit = () => {
    const list = readList(doc);
    const mine = list.filter((entry) => entry.added_by === visitor.user_id);
    const { entry_id = null } = list.length === 0 ? {} : chance.pick(list);
    const wish = chance.next();
    if (list.length >= MAX_LIST || (wish < 0.25 && mine.length > 0 && list.length > MIN_LIST)) {
      removeEntries(doc, [chance.pick(mine.length > 0 ? mine : list).entry_id]);
    } else if (wish < 0.6 && list.length > 1) {
      moveEntries(doc, [chance.pick(list).entry_id], entry_id);
    } else {
      const value = {
        track_id: chance.pick(tracks).id,
        added_by: visitor.user_id,
        added_at: Math.floor(Date.now() / 1000),
      };
      addEntries(doc, [{ entry_id: newIds.id(), value }], entry_id);
    }
    // Others see which row this person is at.
    provider.awareness.setLocalStateField('editing', entry_id);
  };
  return untilAborted(signal, async () => {
    try {
      for (;;) {
        await setTimeout(chance.between(6, 20) * 1000, undefined, { signal });
        if (provider.synced) edit();
      }
    } finally {
      provider.destroy();
      doc.destroy();
    }
  });
}

/** Being told to stop is the proper end of these programs. */
async function untilAborted(signal: AbortSignal, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
