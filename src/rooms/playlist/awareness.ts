import { ID_PATTERN } from '#contract/primitives.ts';
import type { AwarenessEntry } from './protocol.ts';

/** The named person behind a connection; what a client says of itself is not asked. */
export interface Identity {
  id: string;
  name: string;
  color: string;
}

/** A client may not jump further ahead, or it could lock its own id for good. */
const CLOCK_STEP_MAX = 1_000;
/** Yjs client ids one socket may speak for: its own, and one more after a reload under the same socket. */
const CLIENTS_PER_OWNER = 2;

interface State {
  owner: object;
  clock: number;
  json: string;
}

/** Who is in a room and what they look at. Each state belongs to the connection that first announced it. */
export interface AwarenessStates {
  /** Takes what `owner` announced, rewritten with its true identity; @returns what everybody is to be told. */
  take(owner: object, identity: Identity, entries: readonly AwarenessEntry[]): AwarenessEntry[];
  /** Forgets what `owner` announced; @returns what everybody is to be told. */
  leave(owner: object): AwarenessEntry[];
  all(): AwarenessEntry[];
}

/** Presence colours by user id: the client draws its theme's value of the same place in its palette. */
export const PRESENCE_COLOURS = [
  '#FF4FB8',
  '#2FE6F0',
  '#B48CFF',
  '#A6F24B',
  '#FFC247',
  '#FF8A5C',
  '#6FB1FF',
  '#F2F25A',
] as const;

/** A stable colour of a person. */
export function presenceColour(user_id: string): string {
  let sum = 0;
  for (const char of user_id) sum = (sum * 31 + char.charCodeAt(0)) >>> 0;
  return PRESENCE_COLOURS[sum % PRESENCE_COLOURS.length] ?? PRESENCE_COLOURS[0];
}

function rewrite(json: string, identity: Identity): string | null {
  let editing: unknown;
  try {
    const state: unknown = JSON.parse(json);
    if (state === null) return 'null';
    if (typeof state !== 'object') return null;
    editing = 'editing' in state ? state.editing : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
  const isEntry = typeof editing === 'string' && ID_PATTERN.test(editing);
  return JSON.stringify({ user: identity, ...(isEntry ? { editing } : {}) });
}

export function createAwarenessStates(): AwarenessStates {
  const states = new Map<number, State>();
  const countOf = (owner: object) => [...states.values()].filter((state) => state.owner === owner).length;

  return {
    take(owner, identity, entries) {
      const told: AwarenessEntry[] = [];
      for (const { client_id, clock, json } of entries) {
        const before = states.get(client_id);
        // Stock clients echo everybody's states; only the owner's word on its own id counts.
        if (before !== undefined && before.owner !== owner) continue;
        if (before === undefined && countOf(owner) >= CLIENTS_PER_OWNER) continue;
        if (before !== undefined && (clock < before.clock || clock > before.clock + CLOCK_STEP_MAX)) continue;
        const rewritten = rewrite(json, identity);
        if (rewritten === null) continue;
        if (rewritten === 'null') states.delete(client_id);
        else states.set(client_id, { owner, clock, json: rewritten });
        if (rewritten !== 'null' || before !== undefined) told.push({ client_id, clock, json: rewritten });
      }
      return told;
    },
    leave(owner) {
      const told: AwarenessEntry[] = [];
      for (const [client_id, state] of states) {
        if (state.owner !== owner) continue;
        states.delete(client_id);
        told.push({ client_id, clock: state.clock + 1, json: 'null' });
      }
      return told;
    },
    all: () => [...states].map(([client_id, { clock, json }]) => ({ client_id, clock, json })),
  };
}
