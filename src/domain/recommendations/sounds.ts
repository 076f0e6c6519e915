import { setImmediate } from 'node:timers/promises';
import { vectorsSince } from '../library/features/features.queries.ts';
import { SOUND_WEIGHTS } from '../library/features/sound.rules.ts';
import { createSoundSpace } from './sound-space.rules.ts';
import type { Ctx } from '#domain/context.ts';
import type { Neighbour } from './sound-space.rules.ts';

/** Rows so old (s) are read again: the clocks of two servers on one database differ, and so does the order of their commits. */
const OVERLAP_SECONDS = 60;

/** The sounds of all tracks, in memory from the first question on: a quarter of a kilobyte a track. */
export interface Sounds {
  /** The tracks that sound most like this one; null when this one has no sound yet. */
  nearest(track_id: string, limit: number): Promise<Neighbour[] | null>;
}

/** Makes the sounds of this process; each question first takes in what was computed since the last. */
export function createSounds(ctx: Pick<Ctx, 'db'>): Sounds {
  const space = createSoundSpace(SOUND_WEIGHTS);
  let seenUntil = 0;
  let refreshing: Promise<void> | null = null;

  async function refresh(): Promise<void> {
    let since = { computed_at: Math.max(0, seenUntil - OVERLAP_SECONDS), track_id: '' };
    for (;;) {
      const rows = await vectorsSince(ctx.db, since);
      for (const { track_id, vector } of rows) space.set(track_id, vector);
      const last = rows.at(-1);
      if (last === undefined) return;
      seenUntil = Math.max(seenUntil, last.computed_at);
      since = last;
      await setImmediate();
    }
  }

  return {
    async nearest(track_id, limit) {
      await (refreshing ??= refresh().finally(() => (refreshing = null)));
      return space.has(track_id) ? space.nearest(track_id, limit) : null;
    },
  };
}
