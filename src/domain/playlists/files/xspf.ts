/** XSPF (https://www.xspf.org/spec), read leniently: without DTD, entities of its own, or depth without end. */
import sax from 'sax';
import { ENTRIES_MAX, decodeText, oneLine, pathOfLocation, readEntry, unreadable } from './read-entry.ts';
import { OUR_EXTENSION } from './written.ts';
import type { ReadEntry, ReadPlaylist } from './read-entry.ts';
import type { WrittenEntry, WrittenPlaylist } from './written.ts';

const DEPTH_MAX = 32;
const TEXT_MAX = 20_000;
const NAMESPACE = 'http://xspf.org/ns/0/';
const MBID_ADDRESS = 'https://musicbrainz.org/recording/';

interface OpenTrack {
  fields: Map<string, string>;
  locations: string[];
  identifiers: string[];
  meta: Map<string, string>;
}

/** @throws DomainError unprocessable when it is no XSPF, or XML that plays tricks */
export function readXspf(bytes: Uint8Array): ReadPlaylist {
  const list: ReadPlaylist = { name: null, description: null, entries: [], skipped: [] };
  const parser = sax.parser(true, { trim: false, normalize: false, xmlns: false, position: true });
  const path: string[] = [];
  let text = '';
  let rel = '';
  let track: OpenTrack | null = null;
  let isXspf = false;
  let count = 0;
  // Names with a prefix are taken for what they are called: the namespace is often wrong.
  const local = (name: string) => name.replace(/^.*:/, '').toLowerCase();
  parser.ondoctype = () => {
    throw unreadable('A playlist file may not define a document type of its own.');
  };
  parser.onopentag = ({ name, attributes }) => {
    if (path.length >= DEPTH_MAX) throw unreadable('This file is nested too deeply to be a playlist.');
    path.push(local(name));
    text = '';
    rel = String(attributes.rel ?? '');
    if (path.join('/') === 'playlist/tracklist') isXspf = true;
    if (path.at(-1) === 'track' && path.at(-2) === 'tracklist') {
      track = { fields: new Map(), locations: [], identifiers: [], meta: new Map() };
    }
  };
  parser.ontext = parser.oncdata = (part: string) => {
    if (text.length < TEXT_MAX) text += part.slice(0, TEXT_MAX - text.length);
  };
  parser.onclosetag = () => {
    const name = path.pop() ?? '';
    const parent = path.at(-1);
    const value = text.trim();
    text = '';
    if (track !== null && parent === 'track') {
      if (name === 'location') track.locations.push(value);
      else if (name === 'identifier') track.identifiers.push(value);
      else if (name === 'meta') track.meta.set(rel, value);
      else if (!track.fields.has(name)) track.fields.set(name, value);
    } else if (track !== null && name === 'track') {
      count++;
      const entry = toEntry(track);
      track = null;
      if (entry === null) list.skipped.push({ place: `track ${count}`, reason: 'It names nothing.' });
      else if (list.entries.length >= ENTRIES_MAX) {
        list.skipped.push({ place: `track ${count}`, reason: `A playlist holds at most ${ENTRIES_MAX} entries.` });
      } else list.entries.push(entry);
    } else if (parent === 'playlist' && path.length === 1) {
      if (name === 'title') list.name = oneLine(value, 200) || null;
      if (name === 'annotation') list.description = value || null;
    }
  };
  let failure: Error | null = null;
  parser.onerror = (error) => {
    failure ??= error;
    parser.error = null as never;
  };
  parser.write(decodeText(bytes)).close();
  if (!isXspf) throw unreadable('This is XML, but no playlist (XSPF).');
  // What came before the fault stands.
  if (failure !== null) {
    list.skipped.push({ place: `line ${parser.line + 1}`, reason: 'The file is broken from here on.' });
  }
  return settleLengths(list);
}

function toEntry({ fields, locations, identifiers, meta }: OpenTrack): ReadEntry | null {
  const mbid = identifiers.find((one) => /musicbrainz\.org\/recording\//i.test(one));
  const isrc = identifiers.map((one) => /^urn:isrc:(.+)$/i.exec(one)?.[1]).find((one) => one !== undefined);
  const paths = locations.map(pathOfLocation).filter((one) => one !== null);
  const added_at = meta.get(`${OUR_EXTENSION}:added_at`);
  return readEntry({
    title: fields.get('title'),
    artist: fields.get('creator'),
    album: fields.get('album'),
    duration_ms: Number(fields.get('duration') ?? Number.NaN),
    isrc,
    recording_mbid: mbid,
    path: decodePath(paths[0]),
    track_id: meta.get(`${OUR_EXTENSION}:track_id`),
    added_at: added_at === undefined ? null : Number(added_at),
  });
}

/** Relative locations are addresses too, so their signs are encoded. */
function decodePath(path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  try {
    return decodeURIComponent(path);
  } catch (error) {
    if (error instanceof URIError) return path;
    throw error;
  }
}

/** Seconds where milliseconds belong: among lengths of minutes, one below ten seconds is not known rather than believed. */
export function settleLengths(list: ReadPlaylist): ReadPlaylist {
  const lengths = list.entries.flatMap((entry) => entry.duration_ms ?? []);
  const areSeconds = lengths.length > 0 && lengths.every((length) => length < 10_000);
  for (const entry of list.entries) {
    if (entry.duration_ms === null || entry.duration_ms >= 10_000) continue;
    entry.duration_ms = areSeconds ? entry.duration_ms * 1000 : null;
  }
  return list;
}

/** XML 1.0 has no way to write most control characters. */
function xml(text: string): string {
  return text
    .replace(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, '')
    .replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}

const element = (name: string, value: string | number | null): string =>
  value === null || value === '' ? '' : `<${name}>${xml(String(value))}</${name}>`;

function trackOf(entry: WrittenEntry): string {
  const { title, artist, album, duration_ms, isrc, recording_mbid, path, track_id, added_at } = entry;
  const ours = (name: string, value: string | number) =>
    `<meta rel="${OUR_EXTENSION}:${name}">${xml(String(value))}</meta>`;
  return [
    '    <track>',
    element('location', path === null ? null : path.split('/').map(encodeURIComponent).join('/')),
    element('identifier', recording_mbid === null ? null : MBID_ADDRESS + recording_mbid),
    element('identifier', isrc === null ? null : `urn:isrc:${isrc}`),
    element('title', title),
    element('creator', artist),
    element('album', album),
    element('duration', duration_ms === null ? null : Math.round(duration_ms)),
    track_id === null ? '' : ours('track_id', track_id),
    ours('added_at', added_at),
    '</track>',
  ].join('');
}

export function writeXspf({ name, description, owner, created_at, entries }: WrittenPlaylist): string {
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<playlist version="1" xmlns="${NAMESPACE}">`,
    `  ${element('title', name)}`,
    `  ${element('creator', owner)}`,
    `  ${element('annotation', description)}`,
    `  ${element('date', new Date(created_at * 1000).toISOString())}`,
    '  <trackList>',
    ...entries.map(trackOf),
    '  </trackList>',
    '</playlist>',
    '',
  ]
    .filter((line) => line.trim() !== '' || line === '')
    .join('\n');
}
