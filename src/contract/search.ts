import { z } from 'zod';
import { defineEndpoint } from './endpoint.ts';
import { Album, Artist, Track } from './library.ts';
import { Playlist } from './playlists.ts';
import { Person } from './social.ts';

export const searchLibrary = defineEndpoint({
  name: 'library.search',
  method: 'GET',
  path: '/library/search',
  access: 'guest',
  summary:
    'Tracks, albums, artists, playlists and people by the beginnings of their words, the nearest first; mistyped words are made out',
  query: z.strictObject({
    q: z.string().trim().min(1).max(200),
    /** Of each kind. */
    limit: z.coerce.number().int().min(1).max(50).default(20),
  }),
  reply: z.object({
    tracks: z.array(Track),
    albums: z.array(Album),
    artists: z.array(Artist),
    /** The caller's own, those they belong to, and public ones. */
    playlists: z.array(Playlist),
    /** As `/users/search` finds them; none for guests. */
    people: z.array(Person),
  }),
});
