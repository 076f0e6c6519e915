/** Tables of songs as Exportify and its likes write them: columns by name in any order, else by Exportify's own order. */
import { parse } from 'csv-parse/sync';
import { ENTRIES_MAX, decodeText, readEntry, unreadable } from './read-entry.ts';
import type { ReadPlaylist } from './read-entry.ts';

type Column = 'uri' | 'title' | 'artist' | 'album' | 'duration_ms' | 'duration_s' | 'isrc' | 'added_at';

const COLUMNS: Readonly<Record<Column, RegExp>> = {
  uri: /^(track ur[il]|spotify (track )?(uri|id)|uri)$/,
  title: /^(track ?(name|title)?|title|name|song|song ?(name|title))$/,
  artist: /^(artists?|artist names?( s)?|creator|performer|artist name s)$/,
  album: /^(album|album (name|title)|release)$/,
  duration_ms: /^((track )?duration( ms)?|length ms|duration milliseconds)$/,
  duration_s: /^(duration s|duration seconds|seconds|length)$/,
  isrc: /^isrc$/,
  added_at: /^(added( at| on)?|date added)$/,
};
/** Exportify's columns, for headers in other languages: https://exportify.app. */
const EXPORTIFY = { uri: 0, title: 1, artist: 3, album: 5, duration_ms: 12, isrc: 16, added_at: 18 };
const EXPORTIFY_COLUMNS = 19;

/** Whether the first line looks like a table's. */
export function looksLikeCsv(text: string): boolean {
  const header = text.slice(0, 2_000).split(/\r?\n|\r/)[0] ?? '';
  return columnsOf(header.split(/[,;\t]/).map((cell) => cell.replace(/^"|"$/g, ''))) !== null;
}

const cellKey = (cell: string) =>
  cell
    .replace(/^\uFEFF/, '')
    .toLowerCase()
    .replace(/[^a-z]+/g, ' ')
    .trim();

function columnsOf(header: readonly string[]): Partial<Record<Column, number>> | null {
  const keys = header.map(cellKey);
  const found: Partial<Record<Column, number>> = {};
  for (const [column, pattern] of Object.entries(COLUMNS) as [Column, RegExp][]) {
    const at = keys.findIndex((key) => pattern.test(key));
    if (at >= 0) found[column] = at;
  }
  if (found.title !== undefined && found.artist !== undefined) return found;
  // A header in the language of the site: the order is the same in all of them.
  return header.length >= EXPORTIFY_COLUMNS && keys[0]?.includes('uri') === true ? EXPORTIFY : null;
}

/** @throws DomainError unprocessable when there is no column for titles and artists */
export function readCsv(bytes: Uint8Array): ReadPlaylist {
  const text = decodeText(bytes);
  const firstLine = text.slice(0, 5_000).split(/\r?\n|\r/)[0] ?? '';
  const delimiter = [',', ';', '\t'].toSorted((a, b) => firstLine.split(b).length - firstLine.split(a).length)[0];
  const list: ReadPlaylist = { name: null, description: null, entries: [], skipped: [] };
  let rows: string[][];
  try {
    rows = parse(text, {
      bom: true,
      delimiter: delimiter ?? ',',
      relax_column_count: true,
      relax_quotes: true,
      skip_empty_lines: true,
      max_record_size: 64 * 1024,
      to: ENTRIES_MAX + 1_000,
    }) as string[][];
  } catch (error) {
    throw unreadable(`This table is broken: ${error instanceof Error ? error.message.slice(0, 120) : ''}`);
  }
  const columns = columnsOf(rows[0] ?? []);
  if (columns === null) throw unreadable('This table has no columns for title and artist.');
  const cell = (row: readonly string[], column: Column) => {
    const at = columns[column];
    return at === undefined ? undefined : row[at];
  };
  for (const [i, row] of rows.slice(1).entries()) {
    const place = `row ${i + 2}`;
    const added = Date.parse(cell(row, 'added_at') ?? '');
    const seconds = cell(row, 'duration_s');
    const entry = readEntry({
      title: cell(row, 'title'),
      artist: artistsOf(cell(row, 'artist') ?? ''),
      album: cell(row, 'album'),
      duration_ms: seconds === undefined ? lengthOf(cell(row, 'duration_ms')) : Number(seconds) * 1000,
      isrc: cell(row, 'isrc'),
      added_at: Number.isFinite(added) ? Math.floor(added / 1000) : null,
    });
    if (entry === null) list.skipped.push({ place, reason: 'It has no title.' });
    else if (list.entries.length >= ENTRIES_MAX) {
      list.skipped.push({ place, reason: `A playlist holds at most ${ENTRIES_MAX} entries.` });
    } else list.entries.push(entry);
  }
  return list;
}

/** Milliseconds, or `3:45`. */
function lengthOf(cell: string | undefined): number | null {
  const clock = /^(?:(\d+):)?(\d{1,2}):(\d{2})$/.exec(cell?.trim() ?? '');
  if (clock !== null) return (Number(clock[1] ?? 0) * 3600 + Number(clock[2]) * 60 + Number(clock[3])) * 1000;
  return cell === undefined || cell.trim() === '' ? null : Number(cell);
}

/** Artists joined by commas, a comma within a name written `\,`. */
function artistsOf(cell: string): string {
  return cell
    .replaceAll('\\,', '\u0000')
    .split(/\s*[,;]\s*/)
    .join(', ')
    .replaceAll('\u0000', ',');
}
