/** M3U and M3U8: no standard, so read leniently and written plainly. */
import { splitArtistTitle } from '../../library/matching/names.rules.ts';
import { ENTRIES_MAX, decodeText, oneLine, pathOfLocation, readEntry, unreadable } from './read-entry.ts';
import { OurEntry } from './written.ts';
import type { WrittenEntry, WrittenPlaylist } from './written.ts';
import type { ReadEntry, ReadPlaylist } from './read-entry.ts';
import type { z } from 'zod';

const LINE_MAX = 8 * 1024;
/** A comment to everybody else: what the other lines cannot say. */
const OURS = '#STEPHEYBOT-ENTRY:';

/** @throws DomainError unprocessable for a stream list (HLS) */
export function readM3u(bytes: Uint8Array): ReadPlaylist {
  let text = decodeText(bytes);
  const named = /^#EXTENC:\s*([\w-]+)\s*$/im.exec(text)?.[1];
  if (named !== undefined) {
    try {
      text = new TextDecoder(named).decode(bytes);
    } catch (error) {
      // An encoding nobody knows is one the file does not name.
      if (!(error instanceof RangeError)) throw error;
    }
  }
  const list: ReadPlaylist = { name: null, description: null, entries: [], skipped: [] };
  let info: { seconds: number; text: string } | null = null;
  let tags: { artist?: string; album?: string } = {};
  let ours: z.output<typeof OurEntry> | null = null;
  const begin = (): void => {
    [info, tags, ours] = [null, {}, null];
  };
  for (const [i, raw] of text.split(/\r\n|\r|\n/).entries()) {
    const line = raw.replace(/^\uFEFF/, '').trim();
    const place = `line ${i + 1}`;
    if (line === '') continue;
    if (line.length > LINE_MAX || /[\p{Cc}]/u.test(line.replaceAll('\t', ' '))) {
      list.skipped.push({ place, reason: 'The line is too long, or holds characters no name has.' });
      begin();
      continue;
    }
    if (/^#EXT-X-/i.test(line)) throw unreadable('This is a list of streams (HLS), not a playlist of songs.');
    if (line.startsWith('#')) {
      const [, tag = '', value = ''] = /^#([\w-]+):?\s*(.*)$/.exec(line) ?? [];
      switch (tag.toUpperCase()) {
        case 'EXTINF':
          info = readInfo(value);
          break;
        case 'PLAYLIST':
          list.name = oneLine(value, 200) || null;
          break;
        case 'EXTALB':
          tags.album = value;
          break;
        case 'EXTART':
          tags.artist = value;
          break;
        case 'STEPHEYBOT-ENTRY':
          ours = readOurs(value);
          break;
        case 'STEPHEYBOT-DESCRIPTION':
          list.description = readText(value);
          break;
      }
      continue;
    }
    if (list.entries.length >= ENTRIES_MAX) {
      list.skipped.push({ place, reason: `A playlist holds at most ${ENTRIES_MAX} entries.` });
      continue;
    }
    const entry = toEntry(line, info, tags, ours);
    if (entry === null) list.skipped.push({ place, reason: 'The line names nothing.' });
    else list.entries.push(entry);
    begin();
  }
  return list;
}

function toEntry(
  line: string,
  info: { seconds: number; text: string } | null,
  tags: { artist?: string; album?: string },
  ours: z.output<typeof OurEntry> | null,
): ReadEntry | null {
  // What was not in the library had no file: its line is a name to look for.
  if (ours !== null) return readEntry({ ...ours, path: (ours.track_id ?? null) === null ? null : line });
  const path = pathOfLocation(line);
  const duration_ms = info === null || info.seconds <= 0 ? null : info.seconds * 1000;
  if (info === null || info.text === '')
    return readEntry({ path, title: path === null ? line : null, ...tags, duration_ms });
  if (tags.artist !== undefined) return readEntry({ path, title: info.text, ...tags, duration_ms });
  const [first, ...others] = splitArtistTitle(info.text);
  return readEntry({ path, ...first, ...tags, duration_ms, others: [...others, { title: info.text, artist: null }] });
}

/** `123 key="a, b",Artist - Title`: split at the first comma outside quotes. */
function readInfo(value: string): { seconds: number; text: string } {
  let isQuoted = false;
  let comma = value.length;
  for (let i = 0; i < value.length; i++) {
    if (value[i] === '"') isQuoted = !isQuoted;
    else if (value[i] === ',' && !isQuoted) {
      comma = i;
      break;
    }
  }
  const seconds = Number.parseFloat(value.slice(0, comma));
  return { seconds: Number.isFinite(seconds) ? seconds : 0, text: oneLine(value.slice(comma + 1)) };
}

function readOurs(value: string): z.output<typeof OurEntry> | null {
  return OurEntry.safeParse(readJson(value)).data ?? null;
}

function readText(value: string): string | null {
  const parsed = readJson(value);
  return typeof parsed === 'string' ? parsed : null;
}

function readJson(value: string): unknown {
  try {
    return JSON.parse(value);
  } catch (error) {
    // Somebody edited the line by hand: the other lines stand.
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

function infoLine({ artist, title, duration_ms }: WrittenEntry): string {
  const seconds = duration_ms === null ? -1 : Math.round(duration_ms / 1000);
  return `#EXTINF:${seconds},${oneLine(artist === null ? title : `${artist} - ${title}`)}`;
}

/** UTF-8 without a mark, lines ended by LF. */
export function writeM3u({ name, description, entries }: WrittenPlaylist): string {
  const lines = ['#EXTM3U', `#PLAYLIST:${oneLine(name)}`];
  if (description !== '') lines.push(`#STEPHEYBOT-DESCRIPTION:${JSON.stringify(description)}`);
  for (const entry of entries) {
    const { path, ...rest } = entry;
    lines.push(infoLine(entry), `${OURS}${JSON.stringify(rest)}`);
    // What is not in the library has no file; others get a name to look for.
    lines.push(path ?? `${oneLine(`${entry.artist ?? ''} - ${entry.title}`).replace(/[\\/:*?"<>|#]/g, '_')}`);
  }
  return `${lines.join('\n')}\n`;
}
