/** Playlists of Spotify's account data (`Playlist1.json`): what people get when they ask for their data. */
import { z } from 'zod';
import { ENTRIES_MAX, oneLine, readEntry } from './read-entry.ts';
import type { ReadPlaylist } from './read-entry.ts';

const Text = z.string().nullish().catch(null);
const Song = z.object({ trackName: Text, artistName: Text, albumName: Text, trackUri: Text });
const Item = z.object({
  track: Song.nullish().catch(null),
  localTrack: z.object({ uri: Text }).nullish().catch(null),
  episode: z.unknown().optional(),
  audiobook: z.unknown().optional(),
  addedDate: Text,
});
const AccountData = z.object({
  playlists: z.array(z.object({ name: Text, description: Text, items: z.array(z.unknown()) })),
});
const Library = z.object({ tracks: z.array(z.object({ artist: Text, album: Text, track: Text, uri: Text })) });

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: ' ' };

/** Their texts come with HTML's ways to write signs. */
function plain(text: string | null | undefined): string | null {
  if (text === null || text === undefined) return null;
  return text.replace(
    /&(?:#x([0-9a-f]{1,6})|#(\d{1,7})|([a-z]+));/gi,
    (all, hex?: string, decimal?: string, name?: string) => {
      if (name !== undefined) return ENTITIES[name.toLowerCase()] ?? all;
      const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
      return code > 0 && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff) ? String.fromCodePoint(code) : all;
    },
  );
}

/** @returns the lists, or null when it is something else */
export function readSpotify(value: unknown): ReadPlaylist[] | null {
  const data = AccountData.safeParse(value);
  if (data.success) return data.data.playlists.map(readList);
  const library = Library.safeParse(value);
  if (!library.success) return null;
  const list: ReadPlaylist = { name: null, description: null, entries: [], skipped: [] };
  for (const [i, { artist, album, track }] of library.data.tracks.entries()) {
    take(list, i, readEntry({ title: plain(track), artist: plain(artist), album: plain(album) }));
  }
  return [list];
}

function take(list: ReadPlaylist, i: number, entry: ReturnType<typeof readEntry>, reason = 'It names nothing.'): void {
  const place = `item ${i + 1}`;
  if (entry === null) list.skipped.push({ place, reason });
  else if (list.entries.length >= ENTRIES_MAX) {
    list.skipped.push({ place, reason: `A playlist holds at most ${ENTRIES_MAX} entries.` });
  } else list.entries.push(entry);
}

function readList({ name, description, items }: z.output<typeof AccountData>['playlists'][number]): ReadPlaylist {
  const list: ReadPlaylist = {
    name: oneLine(plain(name), 200) || null,
    description: plain(description) || null,
    entries: [],
    skipped: [],
  };
  for (const [i, row] of items.entries()) {
    const item = Item.safeParse(row).data;
    const addedMs = Date.parse(item?.addedDate ?? '');
    const added_at = Number.isFinite(addedMs) ? Math.floor(addedMs / 1000) : null;
    const song = item?.track;
    if (song !== null && song !== undefined) {
      const { trackName, artistName, albumName } = song;
      take(
        list,
        i,
        readEntry({ title: plain(trackName), artist: plain(artistName), album: plain(albumName), added_at }),
      );
    } else if (typeof item?.localTrack?.uri === 'string') {
      take(list, i, readLocal(item.localTrack.uri, added_at));
    } else {
      const isTalk = (item?.episode ?? null) !== null || (item?.audiobook ?? null) !== null;
      take(list, i, null, isTalk ? 'A podcast or an audiobook, no music.' : 'It names nothing.');
    }
  }
  return list;
}

/** `spotify:local:artist:album:title:seconds`, each part percent-encoded with `+` for a space. */
function readLocal(uri: string, added_at: number | null): ReturnType<typeof readEntry> {
  const [, , artist, album, title, seconds] = uri.split(':').map((part) => {
    try {
      return decodeURIComponent(part.replaceAll('+', ' '));
    } catch (error) {
      if (error instanceof URIError) return part;
      throw error;
    }
  });
  return readEntry({ title, artist, album, duration_ms: Number(seconds) * 1000, added_at });
}
