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
/** Clocks count a client's own changes; a first one beyond this only serves to shut somebody out. */
const FIRST_CLOCK_MAX = 2 ** 31;
/** Client ids remembered after they left, so that nobody else takes them over. */
const REMEMBERED = 1_000;

interface State {
  owner: object;
  clock: number;
  json: string;
}

/** Who is in a room and what they look at. A connection speaks for one client id: the first it announces. */
export interface AwarenessStates {
  /**
   * Takes what `owner` announced, rewritten with its true identity; @returns what everybody is to be told.
   * `mayUse` says whether a client id is not another person's.
   */
  take(
    owner: object,
    identity: Identity,
    entries: readonly AwarenessEntry[],
    mayUse: (client_id: number) => boolean,
  ): AwarenessEntry[];
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
  const spokenFor = new WeakMap<object, number>();
  /** Whose an id was and where its clock stood, after it left. */
  const left = new Map<number, { user_id: string; clock: number }>();

  /** Stock clients echo everybody's states; only the owner's word on its own id counts. */
  function isOwn(owner: object, { id }: Identity, { client_id, clock }: AwarenessEntry): boolean {
    const bound = spokenFor.get(owner);
    if (bound !== undefined && bound !== client_id) return false;
    const before = states.get(client_id);
    if (before !== undefined) {
      return before.owner === owner && clock >= before.clock && clock <= before.clock + CLOCK_STEP_MAX;
    }
    const earlier = left.get(client_id);
    if (earlier !== undefined && (earlier.user_id !== id || clock > earlier.clock + CLOCK_STEP_MAX)) return false;
    return clock <= FIRST_CLOCK_MAX;
  }

  function remember(client_id: number, user_id: string, clock: number): void {
    left.delete(client_id);
    left.set(client_id, { user_id, clock });
    const oldest = left.keys().next();
    if (left.size > REMEMBERED && !oldest.done) left.delete(oldest.value);
  }

  return {
    take(owner, identity, entries, mayUse) {
      const told: AwarenessEntry[] = [];
      for (const entry of entries) {
        const { client_id, clock, json } = entry;
        if (!isOwn(owner, identity, entry) || !mayUse(client_id)) continue;
        const rewritten = rewrite(json, identity);
        if (rewritten === null) continue;
        const isHere = states.has(client_id);
        if (rewritten === 'null') {
          if (!isHere) continue;
          states.delete(client_id);
          remember(client_id, identity.id, clock);
        } else {
          spokenFor.set(owner, client_id);
          states.set(client_id, { owner, clock, json: rewritten });
        }
        told.push({ client_id, clock, json: rewritten });
      }
      return told;
    },
    leave(owner) {
      const client_id = spokenFor.get(owner);
      const state = client_id === undefined ? undefined : states.get(client_id);
      if (client_id === undefined || state?.owner !== owner) return [];
      states.delete(client_id);
      const { user } = JSON.parse(state.json) as { user: Identity };
      remember(client_id, user.id, state.clock + 1);
      return [{ client_id, clock: state.clock + 1, json: 'null' }];
    },
    all: () => [...states].map(([client_id, { clock, json }]) => ({ client_id, clock, json })),
  };
}
