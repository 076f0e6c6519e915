/** What is in a file somebody brought along, whatever it is called: row by row, in the same order each time. */
import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { DomainError } from '../../errors.ts';
import { cleanTag } from '../../library/library.rules.ts';
import { elementsOf, linesOf } from './read-pieces.ts';
import {
  columnsOfHeader,
  columnsOfRecord,
  isOpenCsv,
  readCsvRow,
  readJsonRow,
  rowText,
  splitCsv,
} from './rows.rules.ts';
import type { Piece } from './read-pieces.ts';
import type { Columns, Row } from './rows.rules.ts';
import type { Entry, ZipFile } from 'yauzl';

/** [IM1-3] A row is at most so large; a larger one is reported and passed over. */
export const ROW_BYTES_MAX = 256 * 1024;
/** A cell may hold line breaks, not a book. */
const CSV_LINES_MAX = 20;
/** Of a file, and of each file in an archive, so many rows are looked at to see whether it is one of ours. */
const PROBED_ROWS = 50;
const SAMPLE_BYTES = 64 * 1024;
/** An archive of a lifetime has some hundred files, and unpacks to some hundred megabytes. */
const ENTRIES_MAX = 10_000;
const UNPACKED_BYTES_MAX = 2_000_000_000;

export interface PlacedRow {
  /** `name:number` in an archive, else the number of the row. */
  place: string;
  row: Row;
  /** How much of the whole has been read, in bytes unpacked. */
  done: number;
}

/** A file that was opened; `rows` may be read once. */
export interface OpenExport {
  /** Bytes there are to read, unpacked. */
  total: number;
  rows: AsyncGenerator<PlacedRow>;
  close(): void;
}

const notOurs = () =>
  new DomainError(
    'unprocessable',
    'This is no listening history that can be read here: bring an export of ListenBrainz (zip or jsonl), a CSV of Last.fm, or the streaming history of Spotify (zip or json).',
  );
const brokenZip = (cause: unknown) =>
  new DomainError(
    'unprocessable',
    'This archive cannot be read: it is broken, or packed in a way that is not known here.',
    {
      cause,
    },
  );

/** @throws DomainError unprocessable, at once or while rows are read, when it is none of the files we know */
export async function openExport(file: string, now: number, signal: AbortSignal): Promise<OpenExport> {
  const { size } = await stat(file);
  const handle = await open(file);
  const head = Buffer.alloc(4);
  await handle.read(head, 0, 4, 0).finally(() => handle.close());
  if (head.toString('latin1') === 'PK\x03\x04' || head.toString('latin1') === 'PK\x05\x06') {
    return openArchive(file, now, signal);
  }
  const meter = { bytes: 0 };
  const stream = createReadStream(file, { signal });
  async function* rows(): AsyncGenerator<PlacedRow> {
    const found = await recognise(metered(stream, meter), now);
    if (found === null) throw notOurs();
    for await (const { place, row } of found) yield { place: String(place), row, done: meter.bytes };
  }
  return { total: size, rows: rows(), close: () => void stream.destroy() };
}

async function* metered(stream: AsyncIterable<unknown>, meter: { bytes: number }): AsyncGenerator<Buffer> {
  for await (const chunk of stream) {
    meter.bytes += (chunk as Buffer).length;
    yield chunk as Buffer;
  }
}

interface Numbered {
  place: number;
  row: Row;
}

/** The rows of one stream, or null when it holds none of ours. */
async function recognise(stream: AsyncGenerator<Buffer>, now: number): Promise<AsyncGenerator<Numbered> | null> {
  const sample: Buffer[] = [];
  let size = 0;
  while (size < SAMPLE_BYTES) {
    const { value, done } = await stream.next();
    if (done === true) break;
    sample.push(value);
    size += value.length;
  }
  const head = Buffer.concat(sample);
  const text = decoded(head, stream);
  if (text === null) return null;
  const first = /^\s*(.)/s.exec(text.start)?.[1];
  if (first === '[' || first === '{') {
    const pieces = first === '[' ? elementsOf(text.bytes, ROW_BYTES_MAX) : linesOf(text.bytes, ROW_BYTES_MAX);
    return probe(jsonRows(pieces, now));
  }
  return csvRows(linesOf(text.bytes, ROW_BYTES_MAX), now);
}

/** The stream in UTF-8 without a byte order mark, and how it begins; null for what is no text. */
function decoded(head: Buffer, rest: AsyncGenerator<Buffer>): { start: string; bytes: AsyncGenerator<Buffer> } | null {
  const isUtf16 = (head[0] === 0xff && head[1] === 0xfe) || (head[0] === 0xfe && head[1] === 0xff);
  if (!isUtf16 && head.includes(0)) return null;
  const encoding = isUtf16 ? (head[0] === 0xff ? 'utf-16le' : 'utf-16be') : isUtf8(head) ? 'utf-8' : 'windows-1252';
  if (encoding === 'utf-8') {
    const start = head.subarray(head.indexOf('\ufeff') === 0 ? 3 : 0);
    return { start: start.subarray(0, 100).toString(), bytes: chained([start], rest) };
  }
  async function* recoded(): AsyncGenerator<Buffer> {
    const decoder = new TextDecoder(encoding);
    for await (const chunk of chained([head], rest)) yield Buffer.from(decoder.decode(chunk, { stream: true }));
    yield Buffer.from(decoder.decode());
  }
  return { start: new TextDecoder(encoding).decode(head.subarray(0, 200)), bytes: recoded() };
}

function isUtf8(head: Buffer): boolean {
  // The sample may end within a letter.
  for (let cut = 0; cut < 4; cut++) {
    try {
      new TextDecoder('utf-8', { fatal: true }).decode(head.subarray(0, head.length - cut));
      return true;
    } catch {
      continue;
    }
  }
  return false;
}

async function* chained<T>(first: readonly T[], rest: AsyncGenerator<T>): AsyncGenerator<T> {
  yield* first;
  yield* rest;
}

function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8')) as unknown;
  } catch {
    // Reported as a row that cannot be read.
    return undefined;
  }
}

async function* jsonRows(pieces: AsyncGenerator<Piece>, now: number): AsyncGenerator<Numbered> {
  for await (const { place, bytes } of pieces) {
    if (bytes !== null && isBlank(bytes)) continue;
    const row = bytes === null ? null : readJsonRow(parse(bytes), now);
    yield { place, row: row ?? unreadable(bytes) };
  }
}

const isBlank = (bytes: Buffer) => bytes.length < 16 && bytes.toString('latin1').trim() === '';

function unreadable(bytes: Buffer | null): Row {
  const text = bytes === null ? `(more than ${ROW_BYTES_MAX / 1024} KiB)` : bytes.subarray(0, 400).toString('utf8');
  return { is: 'bad', format: null, reason: 'unreadable', text: rowText(text) };
}

/** The same rows, if one of the first is of a format we know. */
async function probe(rows: AsyncGenerator<Numbered>): Promise<AsyncGenerator<Numbered> | null> {
  const first: Numbered[] = [];
  while (first.length < PROBED_ROWS) {
    const { value, done } = await rows.next();
    if (done === true) break;
    first.push(value);
    if (value.row.is !== 'bad' || value.row.format !== null) return chained(first, rows);
  }
  return null;
}

interface CsvRecord {
  place: number;
  text: string | null;
}

/** Records of a CSV: a cell may hold line breaks. One whose quote is never closed is its first line alone. */
async function* recordsOf(lines: AsyncGenerator<Piece>): AsyncGenerator<CsvRecord> {
  const queue: CsvRecord[] = [];
  const read = async (): Promise<CsvRecord | null> => {
    const { value, done } = await lines.next();
    if (done === true) return null;
    return { place: value.place, text: value.bytes === null ? null : value.bytes.toString('utf8').replace(/\r$/, '') };
  };
  for (;;) {
    const line = queue.shift() ?? (await read());
    if (line === null) return;
    if (line.text === null || !isOpenCsv(line.text)) {
      if (line.text !== '') yield line;
      continue;
    }
    const more: CsvRecord[] = [];
    let text = line.text;
    while (more.length < CSV_LINES_MAX && isOpenCsv(text)) {
      const next = queue.shift() ?? (await read());
      if (next === null) break;
      more.push(next);
      if (next.text === null) break;
      text += `\n${next.text}`;
    }
    if (isOpenCsv(text)) {
      queue.unshift(...more);
      yield line;
    } else {
      yield { place: line.place, text };
    }
  }
}

async function csvRows(lines: AsyncGenerator<Piece>, now: number): Promise<AsyncGenerator<Numbered> | null> {
  const records = recordsOf(lines);
  const first: CsvRecord[] = [];
  let how: { delimiter: string; columns: Columns; hasHeader: boolean } | null = null;
  while (first.length < PROBED_ROWS && how === null) {
    const { value, done } = await records.next();
    if (done === true) break;
    first.push(value);
    for (const delimiter of [',', ';', '\t']) {
      const cells = splitCsv(value.text ?? '', delimiter);
      const header = first.length === 1 ? columnsOfHeader(cells) : null;
      const columns = header ?? columnsOfRecord(cells);
      if (columns !== null) {
        how = { delimiter, columns, hasHeader: header !== null };
        break;
      }
    }
  }
  if (how === null) return null;
  const { delimiter, columns, hasHeader } = how;
  async function* rows(): AsyncGenerator<Numbered> {
    for await (const { place, text } of chained(hasHeader ? first.slice(1) : first, records)) {
      if (text === null) {
        yield { place, row: unreadable(null) };
        continue;
      }
      const cells = splitCsv(text, delimiter);
      const isRecord = cells.length > Math.min(columns.artist ?? 0, columns.track ?? 0) + 1;
      yield { place, row: isRecord ? readCsvRow(cells, columns, now) : unreadable(Buffer.from(text)) };
    }
  }
  return rows();
}

/** Music videos, which Spotify lists apart: looked at, not listened to. */
const SKIPPED_ENTRY = /(?:^|\/)__MACOSX\/|(?:^|\/)Streaming_History_Video_/;

async function openArchive(file: string, now: number, signal: AbortSignal): Promise<OpenExport> {
  // Loaded by the first archive: an idle server does without it.
  const yauzl = (await import('yauzl')).default;
  const zip = await new Promise<ZipFile>((resolve, reject) => {
    yauzl.open(
      file,
      // Names of entries are read, never written to: what they are made of does not matter.
      { lazyEntries: true, autoClose: false, decodeStrings: false, validateEntrySizes: true },
      (error, opened) => (error === null ? resolve(opened) : reject(brokenZip(error))),
    );
  });
  try {
    const entries = await entriesOf(zip);
    const total = entries.reduce((sum, { entry }) => sum + entry.uncompressedSize, 0);
    if (total > UNPACKED_BYTES_MAX) throw tooLarge();
    return { total, rows: archiveRows(zip, entries, now, signal), close: () => zip.close() };
  } catch (error) {
    zip.close();
    throw error;
  }
}

const tooLarge = () =>
  new DomainError('unprocessable', `This archive unpacks to more than ${UNPACKED_BYTES_MAX / 1e9} GB.`);

interface NamedEntry {
  name: string;
  entry: Entry;
}

function entriesOf(zip: ZipFile): Promise<NamedEntry[]> {
  return new Promise((resolve, reject) => {
    const entries: NamedEntry[] = [];
    zip.on('error', (error) => reject(brokenZip(error)));
    zip.on('end', () => resolve(inOrder(entries)));
    zip.on('entry', (entry: Entry) => {
      if (entries.length >= ENTRIES_MAX) {
        reject(new DomainError('unprocessable', `This archive holds more than ${ENTRIES_MAX} files.`));
        return;
      }
      const name = (entry.fileName as unknown as Buffer).toString('utf8');
      const isFile = !name.endsWith('/') && entry.uncompressedSize > 0;
      if (isFile && !SKIPPED_ENTRY.test(name)) entries.push({ name: cleanTag(name, 200) ?? '', entry });
      zip.readEntry();
    });
    zip.readEntry();
  });
}

const isFeedback = ({ name }: NamedEntry) => /(?:^|\/)feedback\.jsonl$/.test(name);

/** What people love first, since it is told of listens that follow; then by name, months in their order. */
function inOrder(entries: readonly NamedEntry[]): NamedEntry[] {
  const collator = new Intl.Collator('en', { numeric: true });
  return entries.toSorted((a, b) => Number(isFeedback(b)) - Number(isFeedback(a)) || collator.compare(a.name, b.name));
}

async function* archiveRows(
  zip: ZipFile,
  entries: readonly NamedEntry[],
  now: number,
  signal: AbortSignal,
): AsyncGenerator<PlacedRow> {
  const meter = { bytes: 0 };
  let isOurs = false;
  for (const { name, entry } of entries) {
    if (signal.aborted) return;
    const before = meter.bytes;
    const place = (number: number) => `${name}:${number}`;
    try {
      const stream = await entryStream(zip, entry);
      try {
        const rows = await recognise(metered(stream, meter), now);
        if (rows !== null) {
          isOurs = true;
          for await (const { place: number, row } of rows) yield { place: place(number), row, done: meter.bytes };
        }
      } finally {
        stream.destroy();
      }
    } catch (error) {
      if (error instanceof DomainError) throw error;
      // An entry that is encrypted, or not what its header says: the others may be whole.
      const row: Row = { is: 'bad', format: null, reason: 'unreadable', text: rowText(errorText(error)) };
      yield { place: place(0), row, done: meter.bytes };
    }
    meter.bytes = before + entry.uncompressedSize;
  }
  if (!isOurs) throw notOurs();
}

const errorText = (error: unknown) => (error instanceof Error ? error.message : 'cannot be read');

function entryStream(zip: ZipFile, entry: Entry): Promise<NodeJS.ReadableStream & { destroy(): void }> {
  return new Promise((resolve, reject) => {
    zip.openReadStream(entry, (error, stream) => (error === null ? resolve(stream) : reject(error)));
  });
}
