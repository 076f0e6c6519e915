/** JSPF as MusicBrainz and ListenBrainz write it, and our own JSON; both told by what is in them. */
import { z } from 'zod';
import { ENTRIES_MAX, oneLine, pathOfLocation, readEntry, unreadable } from './read-entry.ts';
import { OUR_EXTENSION, OurEntry } from './written.ts';
import { settleLengths } from './xspf.ts';
import type { ReadEntry, ReadPlaylist } from './read-entry.ts';
import type { WrittenEntry, WrittenPlaylist } from './written.ts';

const LB_PLAYLIST = 'https://musicbrainz.org/doc/jspf#playlist';
const LB_TRACK = 'https://musicbrainz.org/doc/jspf#track';
const MBID_ADDRESS = 'https://musicbrainz.org/recording/';
/** Marks our own JSON. */
const OUR_FORMAT = 'stepheybot-playlist';

const Text = z.string().optional().catch(undefined);
const Texts = z.union([z.array(z.unknown()), z.string().transform((one) => [one])]).catch([]);
const JspfTrack = z.object({
  title: Text,
  creator: Text,
  album: Text,
  duration: z
    .union([z.number(), z.string().transform(Number)])
    .optional()
    .catch(undefined),
  location: Texts.optional(),
  identifier: Texts.optional(),
  extension: z.record(z.string(), z.unknown()).optional().catch(undefined),
});
const JspfPlaylist = z.object({
  title: Text,
  annotation: Text,
  track: z.array(z.unknown()),
  extension: z.record(z.string(), z.unknown()).optional().catch(undefined),
});
const OurPlaylist = z.object({
  format: z.literal(OUR_FORMAT),
  name: Text,
  description: Text,
  entries: z.array(z.unknown()),
});

/** Whether a parsed file is one of ours, or JSPF, and then its lists; null for something else. */
export function readJsonPlaylists(value: unknown): ReadPlaylist[] | null {
  const ours = OurPlaylist.safeParse(value);
  if (ours.success) {
    const { name, description, entries } = ours.data;
    return [collect(name, description, entries, (entry) => readEntry(OurEntry.safeParse(entry).data ?? {}))];
  }
  const candidates = Array.isArray(value) ? value : [value];
  const lists = candidates.flatMap((one: unknown) => {
    const inner = typeof one === 'object' && one !== null && 'playlist' in one ? one.playlist : one;
    const parsed = JspfPlaylist.safeParse(inner);
    return parsed.success ? [parsed.data] : [];
  });
  if (lists.length === 0) return null;
  return lists.map(({ title, annotation, track }) =>
    settleLengths(collect(title, annotation === undefined ? undefined : plain(annotation), track, entryOf)),
  );
}

function collect(
  name: string | undefined,
  description: string | undefined,
  rows: readonly unknown[],
  toEntry: (row: unknown) => ReadEntry | null,
): ReadPlaylist {
  const list: ReadPlaylist = {
    name: oneLine(name, 200) || null,
    description: description || null,
    entries: [],
    skipped: [],
  };
  for (const [i, row] of rows.entries()) {
    const place = `track ${i + 1}`;
    const entry = toEntry(row);
    if (entry === null) list.skipped.push({ place, reason: 'It names nothing.' });
    else if (list.entries.length >= ENTRIES_MAX) {
      list.skipped.push({ place, reason: `A playlist holds at most ${ENTRIES_MAX} entries.` });
    } else list.entries.push(entry);
  }
  return list;
}

/** ListenBrainz keeps descriptions as HTML. */
function plain(html: string): string {
  return html
    .replace(/<br\s*\/?>|<\/p>/gi, '\n')
    .replace(/<[^>]*>/g, '')
    .trim();
}

function entryOf(row: unknown): ReadEntry | null {
  const parsed = JspfTrack.safeParse(row);
  if (!parsed.success) return null;
  const { title, creator, album, duration, location, identifier, extension } = parsed.data;
  const strings = (list: readonly unknown[] | undefined) => (list ?? []).filter((one) => typeof one === 'string');
  const identifiers = strings(identifier);
  const ours = OurEntry.safeParse(first(extension?.[OUR_EXTENSION])).data;
  const lb = z.object({ added_at: z.string().optional() }).safeParse(first(extension?.[LB_TRACK])).data;
  const addedMs = lb?.added_at === undefined ? Number.NaN : Date.parse(lb.added_at);
  return readEntry({
    title,
    artist: creator,
    album,
    duration_ms: duration,
    isrc: identifiers.map((one) => /^urn:isrc:(.+)$/i.exec(one)?.[1]).find((one) => one !== undefined),
    recording_mbid: identifiers.find((one) => /musicbrainz\.org\/recording\//i.test(one)),
    path:
      ours?.path ??
      strings(location)
        .map(pathOfLocation)
        .find((one) => one !== null),
    track_id: ours?.track_id,
    added_at: ours?.added_at ?? (Number.isFinite(addedMs) ? Math.floor(addedMs / 1000) : null),
  });
}

/** The draft says an extension is an array, everybody writes an object. */
function first(value: unknown): unknown {
  return Array.isArray(value) ? value[0] : value;
}

/** A JSON file of any size we take, parsed. @throws DomainError unprocessable */
export function parseJsonFile(text: string): unknown {
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (error) {
    if (error instanceof SyntaxError) throw unreadable('This looks like JSON, but it is broken.');
    throw error;
  }
}

function trackOf(entry: WrittenEntry): object {
  const { title, artist, album, duration_ms, isrc, recording_mbid, path, track_id, added_at } = entry;
  const identifier = [
    ...(recording_mbid === null ? [] : [MBID_ADDRESS + recording_mbid]),
    ...(isrc === null ? [] : [`urn:isrc:${isrc}`]),
  ];
  return {
    title,
    ...(artist === null ? {} : { creator: artist }),
    ...(album === null ? {} : { album }),
    ...(duration_ms === null ? {} : { duration: Math.round(duration_ms) }),
    ...(identifier.length === 0 ? {} : { identifier }),
    extension: {
      [LB_TRACK]: { added_at: new Date(added_at * 1000).toISOString() },
      [OUR_EXTENSION]: { track_id, path, added_at },
    },
  };
}

export function writeJspf(
  { name, description, owner, created_at, entries }: WrittenPlaylist,
  isPublic: boolean,
): string {
  const playlist = {
    title: name,
    creator: owner,
    ...(description === '' ? {} : { annotation: description }),
    date: new Date(created_at * 1000).toISOString(),
    extension: { [LB_PLAYLIST]: { public: isPublic } },
    track: entries.map(trackOf),
  };
  return `${JSON.stringify({ playlist }, null, 2)}\n`;
}

export function writeJson(list: WrittenPlaylist): string {
  return `${JSON.stringify({ format: OUR_FORMAT, version: 1, ...list }, null, 2)}\n`;
}
