/** The server tells every member of a change, its author too if they do not have the list open. */
const ECHO_MS = 10_000;
const changedAt = new Map<string, number>();

/** Says that I am about to change a playlist that I do not have open. */
export function noteOwnChange(playlist_id: string): void {
  changedAt.set(playlist_id, Date.now());
}

/** Whether a change just told of is most likely my own. */
export function isMyOwnChange(playlist_id: string): boolean {
  return Date.now() - (changedAt.get(playlist_id) ?? Number.NEGATIVE_INFINITY) < ECHO_MS;
}
