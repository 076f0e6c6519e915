import { getTrackFeatures, tempiOf } from '../library/features/features.queries.ts';
import { tracksByIds } from '../library/library.queries.ts';
import type { SimilarTracks } from '#contract/recommendations.ts';
import type { Actor, Ctx } from '#domain/context.ts';
import type { Sounds } from './sounds.ts';

/** Below this a tempo is a guess: it is shown with its confidence, and explains nothing. */
const SURE_OF_TEMPO = 0.5;
/** Tempi that differ by less (a part of them) are felt as the same. */
const SAME_TEMPO = 0.04;
/** So many more are looked at than asked for, in place of those whose file is gone. */
const SPARE = 50;
/** Nearer than this it is the same recording once more. */
const SAME_SOUND = 1e-4;

interface KnownTempo {
  tempo: number;
  confidence: number;
}

/** Whether two tracks go at one speed, as far as both are sure of theirs; twice as fast is the same. */
export function isSameTempo(a: KnownTempo | undefined, b: KnownTempo | undefined): boolean {
  if (a === undefined || b === undefined) return false;
  if (Math.min(a.confidence, b.confidence) < SURE_OF_TEMPO || !(a.tempo > 0) || !(b.tempo > 0)) return false;
  const octaves = Math.log2(a.tempo / b.tempo);
  return Math.abs(octaves - Math.round(octaves)) < Math.log2(1 + SAME_TEMPO);
}

/** Tracks that sound like this one, nearest first, and why; none whose file is gone. @throws DomainError `not_found` */
export async function similarTracks(
  ctx: Ctx,
  actor: Actor,
  { track_id, limit }: { track_id: string; limit: number },
  sounds: Sounds,
): Promise<SimilarTracks> {
  const { state } = await getTrackFeatures(ctx, actor, { track_id });
  const nearest = (await sounds.nearest(track_id, limit + SPARE)) ?? [];
  const tracks = await tracksByIds(
    ctx.db,
    nearest.map(({ id }) => id),
  );
  const shown = nearest
    .flatMap(({ id, distance }) => {
      const track = tracks.get(id);
      return track === undefined || track.missing || distance < SAME_SOUND ? [] : { track, distance };
    })
    .slice(0, limit);
  const tempi = await tempiOf(ctx.db, [track_id, ...shown.map(({ track }) => track.id)]);
  return {
    state,
    items: shown.map(({ track, distance }) => ({
      track,
      distance: Number(distance.toFixed(4)),
      reasons: [
        'similar_sound' as const,
        ...(isSameTempo(tempi.get(track_id), tempi.get(track.id)) ? (['same_tempo'] as const) : []),
      ],
    })),
  };
}
