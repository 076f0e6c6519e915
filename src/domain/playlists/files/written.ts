import { z } from 'zod';

const Text = z.string().nullish().catch(null);
const Amount = z.number().nullish().catch(null);
/** What a file says in our own words; it may have been written by anybody, so each field stands for itself. */
export const OurEntry = z.object({
  title: Text,
  artist: Text,
  album: Text,
  duration_ms: Amount,
  isrc: Text,
  recording_mbid: Text,
  path: Text,
  track_id: Text,
  added_at: Amount,
});

/** An entry as export files have it: read back it is the same entry. */
export interface WrittenEntry {
  title: string;
  artist: string | null;
  album: string | null;
  duration_ms: number | null;
  isrc: string | null;
  recording_mbid: string | null;
  /** Below its library root; null for what is not in the library. */
  path: string | null;
  track_id: string | null;
  /** Epoch seconds. */
  added_at: number;
  /** Username; null for a former member. */
  added_by: string | null;
}

export interface WrittenPlaylist {
  name: string;
  description: string;
  owner: string;
  /** Epoch seconds. */
  created_at: number;
  entries: WrittenEntry[];
}

/** Our own facts in formats that leave room for them. */
export const OUR_EXTENSION = 'urn:stepheybot:playlist';
const WINDOWS_NAMES = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i;

/** A name any file system takes, of at most 200 bytes, without its ending. */
export function fileNameOf(name: string): string {
  let safe = name
    .normalize('NFC')
    .replace(/[\\/:*?"<>|\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, '_')
    .replace(/^\.+/, '_')
    .replace(/[. ]+$/, '');
  if (safe === '' || WINDOWS_NAMES.test(safe)) safe = `_${safe}`;
  while (Buffer.byteLength(safe) > 200) safe = [...safe].slice(0, -1).join('');
  return safe.replace(/[. ]+$/, '');
}
