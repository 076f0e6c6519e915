/** Focus and selection of a list as plain data: both name ids, so a list that changes under a person moves neither. */
import { isSameOrder, placesOf, rangeBetween, stepBefore, survivorOf } from './grid-math.ts';

export interface Selection {
  ids: readonly string[];
  places: ReadonlyMap<string, number>;
  /** The row somebody chose; null before that. */
  chosen: string | null;
  selected: ReadonlySet<string>;
  /** Where Shift extends from. */
  from: string | null;
}

export const NOTHING: Selection = { ids: [], places: new Map(), chosen: null, selected: new Set(), from: null };

/** The row that holds the tab stop: the chosen one, else the first. */
export function focusedOf(now: Selection): string | null {
  return now.chosen ?? now.ids[0] ?? null;
}

/** Takes the list as it is now: focus passes to a surviving neighbour, selected rows that are gone are let go. */
export function withIds(now: Selection, ids: readonly string[]): Selection {
  const places = placesOf(ids);
  const stays = [...now.selected].filter((id) => places.has(id));
  return {
    ids,
    places,
    chosen: now.chosen === null ? null : survivorOf(now.ids, places, now.chosen),
    selected: stays.length === now.selected.size ? now.selected : new Set(stays),
    from: now.from !== null && places.has(now.from) ? now.from : null,
  };
}

/** Moves focus by rows, held inside the list; with `extend` the selection grows or shrinks with it. */
export function stepped(now: Selection, by: number, extend: boolean): Selection {
  const at = now.places.get(focusedOf(now) ?? '') ?? 0;
  const id = now.ids[Math.min(now.ids.length - 1, Math.max(0, at + by))];
  if (id === undefined) return now;
  if (!extend) return { ...now, chosen: id, from: null };
  const from = now.from ?? focusedOf(now) ?? id;
  return { ...now, chosen: id, from, selected: new Set(rangeBetween(now.ids, from, id)) };
}

/** This row alone. */
export function selectedOnly(now: Selection, id: string): Selection {
  return { ...now, selected: new Set([id]), from: id };
}

export function toggled(now: Selection, id: string): Selection {
  const selected = new Set(now.selected);
  if (!selected.delete(id)) selected.add(id);
  return { ...now, selected, from: id };
}

/** From the row the range began at to this one. */
export function selectedTo(now: Selection, id: string): Selection {
  const from = now.from ?? focusedOf(now) ?? id;
  return { ...now, from, selected: new Set(rangeBetween(now.ids, from, id)) };
}

/** What an act on a row means: the whole selection when the row is part of it, in list order. */
export function actedOn(now: Selection, id: string): string[] {
  if (!now.selected.has(id)) return now.places.has(id) ? [id] : [];
  return now.ids.filter((each) => now.selected.has(each));
}

/** Where the acted-on rows go when moved by one; undefined when they cannot go further. */
export function stepMoveOf(
  now: Selection,
  id: string,
  direction: 'up' | 'down',
): { ids: string[]; before: string | null } | undefined {
  const ids = actedOn(now, id);
  const moving = new Set(ids);
  const before = stepBefore(now.ids, moving, direction);
  return before === undefined || isSameOrder(now.ids, moving, before) ? undefined : { ids, before };
}
