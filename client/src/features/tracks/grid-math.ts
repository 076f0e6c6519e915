/** The arithmetic of the track grid: what is in view, what follows which id, and where a move ends. No DOM in here. */

export interface RowWindow {
  /** First row drawn. */
  from: number;
  /** One past the last row drawn. */
  to: number;
}

/**
 * The rows to draw. `viewTop` is how far the list's top edge lies above the viewport's (negative while it is below),
 * in the unit of `viewHeight` and `rowHeight`.
 */
export function windowOf(
  viewTop: number,
  viewHeight: number,
  rowHeight: number,
  count: number,
  overscan: number,
): RowWindow {
  const first = Math.floor(viewTop / rowHeight);
  const last = Math.ceil((viewTop + viewHeight) / rowHeight);
  const from = Math.min(Math.max(0, first - overscan), count);
  return { from, to: Math.max(from, Math.min(count, last + overscan)) };
}

/** Place of each id. */
export function placesOf(ids: readonly string[]): Map<string, number> {
  const places = new Map<string, number>();
  ids.forEach((id, i) => places.set(id, i));
  return places;
}

/**
 * Who stands for `id` once the list has changed: itself, else the next row behind it that is still there, else the
 * nearest one before it.
 */
export function survivorOf(before: readonly string[], after: ReadonlyMap<string, number>, id: string): string | null {
  if (after.has(id)) return id;
  const at = before.indexOf(id);
  if (at < 0) return null;
  for (let i = at + 1; i < before.length; i++) {
    const next = before[i];
    if (next !== undefined && after.has(next)) return next;
  }
  for (let i = at - 1; i >= 0; i--) {
    const previous = before[i];
    if (previous !== undefined && after.has(previous)) return previous;
  }
  return null;
}

/**
 * How many rows the view has to scroll down so that what the person looks at stays where it is. The row looked at is
 * the focused one while it is in view, else the first one in view. Someone who sees the head of the list and has no
 * row in focus is shown what arrives there instead.
 */
export function anchorShift(input: {
  before: readonly string[];
  after: ReadonlyMap<string, number>;
  /** First and one past the last row fully in view, before the change. */
  inView: RowWindow;
  focused: string | null;
}): number {
  const { before, after, inView, focused } = input;
  const places = placesOf(before);
  const focusedAt = focused === null ? -1 : (places.get(focused) ?? -1);
  const isFocusedInView = focusedAt >= Math.max(0, inView.from) && focusedAt < inView.to;
  if (!isFocusedInView && inView.from <= 0) return 0;
  const start = isFocusedInView ? focusedAt : inView.from;
  // A row that was removed cannot hold the view; the next one still in view does.
  for (let i = start; i < Math.max(inView.to, start + 1); i++) {
    const id = before[i];
    const now = id === undefined ? undefined : after.get(id);
    if (now !== undefined) return now - i;
  }
  return 0;
}

/** The ids from one row to another, both included, whichever comes first. */
export function rangeBetween(ids: readonly string[], a: string, b: string): string[] {
  const i = ids.indexOf(a);
  const j = ids.indexOf(b);
  if (i < 0 || j < 0) return j < 0 ? [] : [b];
  return ids.slice(Math.min(i, j), Math.max(i, j) + 1);
}

/** The row a drop at gap `index` (0 = above the first) comes before; null is the end. Rows being moved do not count. */
export function dropBefore(ids: readonly string[], moving: ReadonlySet<string>, index: number): string | null {
  for (let i = Math.max(0, index); i < ids.length; i++) {
    const id = ids[i];
    if (id !== undefined && !moving.has(id)) return id;
  }
  return null;
}

/** Where a block goes when moved by one place; undefined when it is already at that end. */
export function stepBefore(
  ids: readonly string[],
  moving: ReadonlySet<string>,
  direction: 'up' | 'down',
): string | null | undefined {
  const places = ids.flatMap((id, i) => (moving.has(id) ? [i] : []));
  const first = places[0];
  const last = places.at(-1);
  if (first === undefined || last === undefined) return undefined;
  const rest = ids.filter((id) => !moving.has(id));
  // Rows that stay and stand above the block's leading edge.
  const edge = direction === 'up' ? first : last;
  const above = edge - places.filter((place) => place < edge).length;
  if (direction === 'up') return above === 0 ? undefined : rest[above - 1];
  return above >= rest.length ? undefined : (rest[above + 1] ?? null);
}

/** Which row a block comes before when its first row shall stand at `position` (0 = top). */
export function positionBefore(ids: readonly string[], moving: ReadonlySet<string>, position: number): string | null {
  return ids.filter((id) => !moving.has(id))[Math.max(0, position)] ?? null;
}

/** Whether moving these before that row would leave the list as it is. */
export function isSameOrder(ids: readonly string[], moving: ReadonlySet<string>, before: string | null): boolean {
  const moved = ids.filter((id) => moving.has(id));
  const rest = ids.filter((id) => !moving.has(id));
  const at = before === null ? rest.length : rest.indexOf(before);
  if (at < 0) return true;
  return [...rest.slice(0, at), ...moved, ...rest.slice(at)].every((id, i) => id === ids[i]);
}

/** How many of these places (-1: gone) are above and below what is in view, and which of each is the nearest. */
export function unseenOf(
  places: readonly number[],
  inView: { from: number; to: number },
): { above: number; below: number; nearestAbove: number; nearestBelow: number } {
  const above = places.filter((at) => at >= 0 && at < inView.from);
  const below = places.filter((at) => at >= 0 && at >= inView.to);
  return {
    above: above.length,
    below: below.length,
    nearestAbove: above.reduce((nearest, at) => Math.max(nearest, at), -1),
    nearestBelow: below.reduce((nearest, at) => (nearest < 0 ? at : Math.min(nearest, at)), -1),
  };
}
