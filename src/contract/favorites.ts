import { z } from 'zod';
import { defineEndpoint } from './endpoint.ts';
import { defineNotice } from './event.ts';
import { Album, Artist, Track } from './library.ts';
import { EpochSeconds, Id, MAX_PAGE_SIZE, Nothing, PageQuery, page, text } from './primitives.ts';

export const NOTES_MAX = 4_000;
/** Tracks that are marked at once. */
export const MARKS_AT_ONCE = 500;

export const Rating = z.int().min(1).max(5);
const Notes = text(NOTES_MAX);

/** What a person holds of a track: a heart, stars, a note, each by itself. */
export const Mark = z.object({
  track_id: Id,
  /** 1 to 5; null: no stars. */
  rating: z.int().nullable(),
  /** Only ever seen by who wrote it. */
  notes: z.string().nullable(),
  /** Since when it has a heart; null: it has none. */
  favorited_at: z.int().nullable(),
  /** Rises with every change, so that of two the later is known. */
  version: z.int(),
});
export type Mark = z.infer<typeof Mark>;

export const Favorite = Mark.extend({ track: Track });
export type Favorite = z.infer<typeof Favorite>;

export const FavoriteQuery = z.strictObject({
  ...PageQuery.shape,
  /** Tracks with a heart, with stars, with a note, or with any of them. */
  show: z.enum(['hearts', 'rated', 'noted', 'all']).default('hearts'),
  sort: z.enum(['favorited', 'rating', 'title', 'artist', 'album', 'year', 'duration']).default('favorited'),
  order: z.enum(['asc', 'desc']).default('desc'),
  min_rating: z.coerce.number().int().min(1).max(5).optional(),
  max_rating: z.coerce.number().int().min(1).max(5).optional(),
  q: z.string().trim().max(200).optional(),
});

const WhichTrack = { track_id: Id.optional(), track_path: z.string().min(1).max(4096).optional() };
const TrackParams = z.strictObject({ track_id: Id });
const IdParams = z.strictObject({ id: Id });

/** Ids, separated by commas. */
const Ids = z
  .string()
  .max(MAX_PAGE_SIZE * 37)
  .transform((ids) => ids.split(','))
  .pipe(z.array(Id).max(MAX_PAGE_SIZE));
/** A heart, and perhaps a note, of an album or artist. */
const Liked = z.object({ notes: z.string().nullable(), favorited_at: z.int().nullable(), version: z.int() });
const LikedMark = Liked.extend({ id: Id });

export const listFavorites = defineEndpoint({
  name: 'favorites.list',
  method: 'GET',
  path: '/favorites',
  access: 'guest',
  summary: 'My favourites, ratings and notes: sorted, and filtered by stars and words',
  query: FavoriteQuery,
  reply: page(Favorite),
});
export const listMarks = defineEndpoint({
  name: 'favorites.marks',
  method: 'GET',
  path: '/favorites/marks',
  access: 'guest',
  summary: 'What I hold of these tracks, albums and artists; those I hold nothing of are left out',
  query: z.strictObject({ track_ids: Ids.optional(), album_ids: Ids.optional(), artist_ids: Ids.optional() }),
  reply: z.object({
    items: z.array(Mark),
    albums: z.array(LikedMark),
    artists: z.array(LikedMark),
    next_cursor: z.null(),
  }),
});
export const addFavorite = defineEndpoint({
  name: 'favorites.add',
  method: 'POST',
  path: '/favorites',
  access: 'user',
  summary: 'Give a track a heart; one that is there stays as it is',
  body: z
    .strictObject({ ...WhichTrack, notes: Notes.nullable().optional() })
    .refine((body) => (body.track_id === undefined) !== (body.track_path === undefined), {
      message: 'name the track by track_id or by track_path',
    }),
  reply: Favorite,
  isRepeatable: () => true,
});
export const setNote = defineEndpoint({
  name: 'favorites.note',
  method: 'PUT',
  path: '/favorites/{track_id}',
  access: 'user',
  summary: 'Write my note on a track, or with null take it away; it needs no heart',
  params: TrackParams,
  body: z.strictObject({ notes: Notes.nullable() }),
  reply: Favorite,
  isRepeatable: () => true,
});
export const removeFavorite = defineEndpoint({
  name: 'favorites.remove',
  method: 'DELETE',
  path: '/favorites/{track_id}',
  access: 'user',
  summary: 'Take my heart from a track; its stars and note stay',
  params: TrackParams,
  status: 204,
  reply: Nothing,
  isRepeatable: () => true,
});
export const setRating = defineEndpoint({
  name: 'ratings.set',
  method: 'PUT',
  path: '/ratings/{track_id}',
  access: 'user',
  summary: 'Give a track 1 to 5 stars; it needs no heart',
  params: TrackParams,
  body: z.strictObject({ rating: Rating }),
  reply: Favorite,
  isRepeatable: () => true,
});
export const clearRating = defineEndpoint({
  name: 'ratings.clear',
  method: 'DELETE',
  path: '/ratings/{track_id}',
  access: 'user',
  summary: 'Take my stars from a track',
  params: TrackParams,
  status: 204,
  reply: Nothing,
  isRepeatable: () => true,
});
export const setMarks = defineEndpoint({
  name: 'favorites.set_many',
  method: 'PUT',
  path: '/favorites',
  access: 'user',
  summary: 'Change hearts, stars and notes of many tracks at once: all of them or none',
  body: z.strictObject({
    marks: z
      .array(
        z.strictObject({
          track_id: Id,
          is_favorite: z.boolean().optional(),
          /** Since when, to put back a heart that was taken: never later than now, and one that is there keeps its own. */
          favorited_at: EpochSeconds.optional(),
          rating: Rating.nullable().optional(),
          notes: Notes.nullable().optional(),
        }),
      )
      .min(1)
      .max(MARKS_AT_ONCE),
  }),
  reply: z.object({ items: z.array(Mark) }),
  isRepeatable: () => true,
});

const LikedQuery = z.strictObject({
  ...PageQuery.shape,
  sort: z.enum(['favorited', 'name']).default('favorited'),
  order: z.enum(['asc', 'desc']).default('desc'),
});
export const FavoriteAlbum = Liked.extend({ album_id: Id, album: Album });
export type FavoriteAlbum = z.infer<typeof FavoriteAlbum>;
export const FavoriteArtist = Liked.extend({ artist_id: Id, artist: Artist });
export type FavoriteArtist = z.infer<typeof FavoriteArtist>;
const NoteOfLiked = z.strictObject({ notes: Notes.nullable() });

export const listFavoriteAlbums = defineEndpoint({
  name: 'favorites.albums',
  method: 'GET',
  path: '/favorites/albums',
  access: 'guest',
  summary: 'Albums with my heart',
  query: LikedQuery,
  reply: page(FavoriteAlbum),
});
export const addFavoriteAlbum = defineEndpoint({
  name: 'favorites.albums.add',
  method: 'POST',
  path: '/favorites/albums',
  access: 'user',
  summary: 'Give an album a heart',
  body: z.strictObject({ album_id: Id, notes: Notes.nullable().optional() }),
  reply: FavoriteAlbum,
  isRepeatable: () => true,
});
export const noteFavoriteAlbum = defineEndpoint({
  name: 'favorites.albums.note',
  method: 'PUT',
  path: '/favorites/albums/{id}',
  access: 'user',
  summary: 'Write my note on an album, or with null take it away',
  params: IdParams,
  body: NoteOfLiked,
  reply: FavoriteAlbum,
  isRepeatable: () => true,
});
export const removeFavoriteAlbum = defineEndpoint({
  name: 'favorites.albums.remove',
  method: 'DELETE',
  path: '/favorites/albums/{id}',
  access: 'user',
  summary: 'Take my heart from an album',
  params: IdParams,
  status: 204,
  reply: Nothing,
  isRepeatable: () => true,
});
export const listFavoriteArtists = defineEndpoint({
  name: 'favorites.artists',
  method: 'GET',
  path: '/favorites/artists',
  access: 'guest',
  summary: 'Artists with my heart',
  query: LikedQuery,
  reply: page(FavoriteArtist),
});
export const addFavoriteArtist = defineEndpoint({
  name: 'favorites.artists.add',
  method: 'POST',
  path: '/favorites/artists',
  access: 'user',
  summary: 'Give an artist a heart',
  body: z.strictObject({ artist_id: Id, notes: Notes.nullable().optional() }),
  reply: FavoriteArtist,
  isRepeatable: () => true,
});
export const noteFavoriteArtist = defineEndpoint({
  name: 'favorites.artists.note',
  method: 'PUT',
  path: '/favorites/artists/{id}',
  access: 'user',
  summary: 'Write my note on an artist, or with null take it away',
  params: IdParams,
  body: NoteOfLiked,
  reply: FavoriteArtist,
  isRepeatable: () => true,
});
export const removeFavoriteArtist = defineEndpoint({
  name: 'favorites.artists.remove',
  method: 'DELETE',
  path: '/favorites/artists/{id}',
  access: 'user',
  summary: 'Take my heart from an artist',
  params: IdParams,
  status: 204,
  reply: Nothing,
  isRepeatable: () => true,
});

/** To a person's own devices, after each change: what they hold now. A note is asked for, so that none travels unasked. */
export const favoritesChanged = defineNotice({
  name: 'favorites:changed',
  payload: z.discriminatedUnion('kind', [
    z.object({
      kind: z.literal('track'),
      marks: z.array(Mark.omit({ notes: true }).extend({ has_note: z.boolean() })),
    }),
    z.object({
      kind: z.enum(['album', 'artist']),
      id: Id,
      favorited_at: z.int().nullable(),
      has_note: z.boolean(),
      version: z.int(),
    }),
  ]),
  volatile: false,
});
