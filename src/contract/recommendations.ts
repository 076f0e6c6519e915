import { z } from 'zod';
import { defineEndpoint } from './endpoint.ts';
import { FeaturesState, Track } from './library.ts';
import { Id } from './primitives.ts';

export const SimilarTracks = z.object({
  /** Of the track asked about: as long as it is not `ready` there are no items. */
  state: FeaturesState,
  /** Nearest first. */
  items: z.array(
    z.object({
      track: Track,
      /** 0 is the same sound; two tracks drawn at random are about 1 apart. */
      distance: z.number(),
      /** `same_tempo` only where both tempi are sure. */
      reasons: z.array(z.enum(['similar_sound', 'same_tempo'])),
    }),
  ),
});
export type SimilarTracks = z.infer<typeof SimilarTracks>;

export const listSimilar = defineEndpoint({
  name: 'recommendations.similar',
  method: 'GET',
  path: '/recommendations/similar/{track_id}',
  access: 'guest',
  summary: 'Tracks that sound like this one, nearest first, with the reasons',
  params: z.strictObject({ track_id: Id }),
  query: z.strictObject({ limit: z.coerce.number().int().min(1).max(100).default(20) }),
  reply: SimilarTracks,
});
