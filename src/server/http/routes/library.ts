import * as library from '#contract/library.ts';
import * as search from '#contract/search.ts';
import {
  getAlbum,
  getArtist,
  getTrack,
  listAlbums,
  listArtists,
  listGenres,
  listTracks,
} from '#domain/library/library.queries.ts';
import { getTrackFeatures } from '#domain/library/features/features.queries.ts';
import { searchLibrary } from '#domain/search/search.queries.ts';
import { startScan } from '#domain/library/start-scan.ts';
import { on } from '../mount.ts';
import type { Analyser } from '#domain/library/features/analyser.ts';
import type { Limiters } from '../../limits/limiters.ts';
import type { Scanner } from '#domain/library/scanner.ts';
import type { Route } from '../mount.ts';

/** The library's REST doors; streams and covers, which are no JSON, are in ../media.ts. */
export function libraryRoutes(scanner: Scanner, analyser: Analyser, limiters: Limiters): Route[] {
  return [
    on(library.listTracks, (ctx, actor, input) => listTracks(ctx, actor, input)),
    on(library.getTrack, (ctx, actor, input) => getTrack(ctx, actor, input)),
    on(library.getFeatures, (ctx, actor, input) => getTrackFeatures(ctx, actor, input)),
    on(library.listAlbums, (ctx, actor, input) => listAlbums(ctx, actor, input)),
    on(library.getAlbum, (ctx, actor, input) => getAlbum(ctx, actor, input)),
    on(library.listArtists, (ctx, actor, input) => listArtists(ctx, actor, input)),
    on(library.getArtist, (ctx, actor, input) => getArtist(ctx, actor, input)),
    on(library.listGenres, (ctx) => listGenres(ctx)),
    on(search.searchLibrary, (ctx, actor, input) =>
      searchLibrary(ctx, actor, input, async () => !(await limiters.spend('people_search', actor.user_id)).isOver),
    ),
    on(library.startScan, (ctx, actor) => startScan(ctx, actor.user_id, scanner)),
    on(library.getScan, async (_ctx, actor) => ({ ...scanner.state(actor), analysing: analyser.state() })),
  ];
}
