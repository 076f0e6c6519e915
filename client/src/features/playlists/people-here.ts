import { presenceColour } from '../../lib/format.ts';
import type { RowPresence } from '../tracks/grid-row.ts';
import type { Presence } from './playlist-sync.ts';

const IDLE_MS = 60_000;

export interface PersonHere {
  id: string;
  name: string;
  isMe: boolean;
  isIdle: boolean;
  /** The entry they are at. */
  editing: string | null;
}
type Me = { id: string; display_name: string } | null;

/** Everybody here, me last, one entry a person however many tabs they have open. */
export function peopleHere(presences: readonly Presence[], me: Me, nowMs: number): PersonHere[] {
  const people = new Map<string, PersonHere>();
  for (const { user, isMe, active_at_ms, editing } of presences) {
    const id = isMe ? me?.id : user?.id;
    if (id === undefined) continue;
    const isIdle = nowMs - active_at_ms > IDLE_MS;
    const known = people.get(id);
    if (known) {
      known.isIdle &&= isIdle;
      known.editing ??= editing;
      continue;
    }
    const name = isMe ? (me?.display_name ?? '') : (user?.name ?? '');
    people.set(id, { id, name, isMe: id === me?.id, isIdle, editing });
  }
  for (const person of people.values()) if (person.isMe) person.isIdle = false;
  return [...people.values()].sort((a, b) => Number(a.isMe) - Number(b.isMe) || a.name.localeCompare(b.name));
}

/** Which rows others are at. */
export function othersByRow(presences: readonly Presence[], me: Me): ReadonlyMap<string, readonly RowPresence[]> {
  const rows = new Map<string, RowPresence[]>();
  for (const { user, editing, isMe } of presences) {
    if (isMe || user === null || editing === null || user.id === me?.id) continue;
    const there = rows.get(editing) ?? [];
    if (there.some(({ id }) => id === user.id)) continue;
    rows.set(editing, [...there, { id: user.id, name: user.name, color: presenceColour(user.id) }]);
  }
  return rows;
}
