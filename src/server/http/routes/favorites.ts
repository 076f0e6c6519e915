import * as favorites from '#contract/favorites.ts';
import {
  listFavoriteAlbums,
  listFavoriteArtists,
  listFavorites,
  listMarks,
} from '#domain/favorites/favorites.queries.ts';
import {
  addFavorite,
  clearRating,
  removeFavorite,
  setAlbum,
  setArtist,
  setMarks,
  setNote,
  setRating,
} from '#domain/favorites/set-marks.ts';
import { on } from '../mount.ts';
import type { Route } from '../mount.ts';

export const favoriteRoutes: Route[] = [
  on(favorites.listFavorites, listFavorites),
  on(favorites.listMarks, listMarks),
  on(favorites.addFavorite, addFavorite),
  on(favorites.setMarks, setMarks),
  on(favorites.setNote, setNote),
  on(favorites.removeFavorite, removeFavorite),
  on(favorites.setRating, setRating),
  on(favorites.clearRating, clearRating),
  on(favorites.listFavoriteAlbums, listFavoriteAlbums),
  on(favorites.addFavoriteAlbum, (ctx, actor, { album_id, notes }) =>
    setAlbum(ctx, actor, album_id, { is_favorite: true, notes }),
  ),
  on(favorites.noteFavoriteAlbum, (ctx, actor, { id, notes }) => setAlbum(ctx, actor, id, { notes })),
  on(favorites.removeFavoriteAlbum, async (ctx, actor, { id }) => {
    await setAlbum(ctx, actor, id, { is_favorite: false });
  }),
  on(favorites.listFavoriteArtists, listFavoriteArtists),
  on(favorites.addFavoriteArtist, (ctx, actor, { artist_id, notes }) =>
    setArtist(ctx, actor, artist_id, { is_favorite: true, notes }),
  ),
  on(favorites.noteFavoriteArtist, (ctx, actor, { id, notes }) => setArtist(ctx, actor, id, { notes })),
  on(favorites.removeFavoriteArtist, async (ctx, actor, { id }) => {
    await setArtist(ctx, actor, id, { is_favorite: false });
  }),
];
