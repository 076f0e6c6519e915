/** The server tells every member of a change, its author too if they do not have the list open. */
const ECHO_MS = 10_000;
const changedAt = new Map<string, number>();
let making = 0;

/** Says that I am about to change a playlist that I do not have open. */
export function noteOwnChange(playlist_id: string): void {
  changedAt.set(playlist_id, Date.now());
}

/** Runs what makes playlists of mine, whose ids are not known before. `idsOf` reads them from its answer. */
export async function whileMaking<Answer>(
  make: () => Promise<Answer>,
  idsOf: (answer: Answer) => readonly string[],
): Promise<Answer> {
  making++;
  try {
    const answer = await make();
    // What is told of them may still be on its way.
    for (const id of idsOf(answer)) noteOwnChange(id);
    return answer;
  } finally {
    making--;
  }
}

/** Whether a change just told of is most likely my own. */
export function isMyOwnChange(playlist_id: string): boolean {
  return making > 0 || Date.now() - (changedAt.get(playlist_id) ?? Number.NEGATIVE_INFINITY) < ECHO_MS;
}
