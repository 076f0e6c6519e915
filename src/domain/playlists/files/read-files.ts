/** Any file or zip of playlists, told by what is in it and not by its name. */
import yauzl from 'yauzl';
import { DomainError } from '../../errors.ts';
import { looksLikeCsv, readCsv } from './csv.ts';
import { parseJsonFile, readJsonPlaylists } from './jspf.ts';
import { readM3u } from './m3u.ts';
import { decodeText, nameOfPath, oneLine, unreadable } from './read-entry.ts';
import { readSpotify } from './spotify.ts';
import { readXspf } from './xspf.ts';
import type { ReadPlaylist } from './read-entry.ts';

const FILES_MAX = 500;
/** Of all that a zip unfolds to. */
const UNZIPPED_MAX_BYTES = 256 * 1024 * 1024;
/** Text does not pack better than this; what does was made to. */
const RATIO_MAX = 200;
const LISTS_MAX = 200;

export interface NamedFile {
  /** As it was uploaded; only shown, and a name for a list that has none. */
  name: string;
  bytes: Uint8Array;
}

/** @throws DomainError unprocessable: the file is none we can read, and why */
export async function readPlaylistFiles(file: NamedFile): Promise<ReadPlaylist[]> {
  const lists = isZip(file.bytes) ? await readZip(file.bytes) : readOne(file);
  if (lists === null)
    throw unreadable('This is no playlist: send M3U, XSPF, JSPF, JSON, a CSV of Exportify, or Spotify’s data.');
  if (lists.length === 0) throw unreadable('There is no playlist in this file.');
  if (lists.length > LISTS_MAX) throw unreadable(`There are more than ${LISTS_MAX} playlists in this file.`);
  return lists;
}

const isZip = (bytes: Uint8Array) => bytes[0] === 0x50 && bytes[1] === 0x4b && bytes[2] === 3 && bytes[3] === 4;

/** @returns null when it is something else */
function readOne({ name, bytes }: NamedFile): ReadPlaylist[] | null {
  const text = decodeText(bytes.subarray(0, 64 * 1024));
  const start = text.replace(/^\uFEFF/, '').trimStart();
  const called = (lists: ReadPlaylist[]) => {
    for (const list of lists) list.name ??= oneLine(nameOfPath(name), 200) || null;
    return lists;
  };
  if (start.startsWith('{') || start.startsWith('[')) {
    const value = parseJsonFile(decodeText(bytes));
    const lists = readJsonPlaylists(value) ?? readSpotify(value);
    return lists === null ? null : called(lists);
  }
  if (start.startsWith('<')) return called([readXspf(bytes)]);
  if (/^#EXT/im.test(start.slice(0, 8_192)) || /\.m3u8?$/i.test(name)) return called([readM3u(bytes)]);
  if (looksLikeCsv(start)) return called([readCsv(bytes)]);
  return looksLikePaths(start) ? called([readM3u(bytes)]) : null;
}

/** A list of file names is an M3U without its first line. */
function looksLikePaths(text: string): boolean {
  const lines = text.split(/\r?\n|\r/).filter((line) => line.trim() !== '' && !line.startsWith('#'));
  return (
    lines.length > 0 &&
    lines.slice(0, 20).every((line) => /\.(mp3|flac|ogg|opus|oga|m4a|aac|wav|wma|ape|wv)\s*$/i.test(line))
  );
}

async function readZip(bytes: Uint8Array): Promise<ReadPlaylist[]> {
  try {
    return await unzip(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  } catch (error) {
    if (error instanceof DomainError) throw error;
    throw unreadable(`This zip is broken: ${error instanceof Error ? error.message.slice(0, 120) : ''}`);
  }
}

async function unzip(bytes: Buffer): Promise<ReadPlaylist[]> {
  const zip = await yauzl.fromBufferPromise(bytes, { lazyEntries: true });
  const lists: ReadPlaylist[] = [];
  let files = 0;
  let unzipped = 0;
  for await (const entry of zip.eachEntry()) {
    const { fileName: name, compressedSize, uncompressedSize } = entry;
    if (name.endsWith('/') || /(^|\/)(__MACOSX|\.[^/]*)(\/|$)/.test(name)) continue;
    if (++files > FILES_MAX) throw unreadable(`There are more than ${FILES_MAX} files in this zip.`);
    unzipped += uncompressedSize;
    if (unzipped > UNZIPPED_MAX_BYTES || uncompressedSize > RATIO_MAX * Math.max(compressedSize, 1024)) {
      throw unreadable('This zip unfolds to more than playlists do.');
    }
    if (!/\.(m3u8?|xspf|jspf|json|csv|txt)$/i.test(name)) continue;
    const chunks: Buffer[] = [];
    // A stream that is longer than the zip says is ended with an error.
    for await (const chunk of await zip.openReadStreamPromise(entry)) chunks.push(chunk as Buffer);
    lists.push(...(readOne({ name, bytes: Buffer.concat(chunks) }) ?? []));
  }
  return lists;
}
