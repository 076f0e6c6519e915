import * as recommendations from '#contract/recommendations.ts';
import { similarTracks } from '#domain/recommendations/similar-tracks.ts';
import { on } from '../mount.ts';
import type { Sounds } from '#domain/recommendations/sounds.ts';
import type { Route } from '../mount.ts';

/** What to hear next. */
export function recommendationsRoutes(sounds: Sounds): Route[] {
  return [on(recommendations.listSimilar, (ctx, actor, input) => similarTracks(ctx, actor, input, sounds))];
}
