/** Exports as the services write them, of made-up listening. */
import { createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { ZipFile } from 'yazl';

export interface MadeListen {
  /** Epoch seconds of its beginning. */
  at: number;
  artist: string;
  title: string;
  album: string;
}

export const BEGIN = Date.UTC(2021, 0, 1) / 1000;

/** Listens one after another, four minutes apart, of some hundred songs. */
export function madeListens(count: number, { songs = 300, from = BEGIN } = {}): MadeListen[] {
  return Array.from({ length: count }, (_, i) => {
    const song = (i * 7919) % songs;
    return { at: from + i * 240, artist: `Artist ${song % 40}`, title: `Song ${song}`, album: `Album ${song % 60}` };
  });
}

/** Lines of `listens/…jsonl`. */
export function lbLines(listens: readonly MadeListen[]): string {
  return listens
    .map(({ at, artist, title, album }) =>
      JSON.stringify({
        inserted_at: at + 300.5,
        listened_at: at,
        track_metadata: {
          artist_name: artist,
          track_name: title,
          release_name: album,
          recording_msid: crypto.randomUUID(),
          mbid_mapping: null,
          additional_info: { duration_ms: 200_000, submission_client: 'navidrome' },
        },
      }),
    )
    .map((line) => `${line}\n`)
    .join('');
}

const cell = (text: string) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
const two = (n: number) => String(n).padStart(2, '0');
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** `artist,album,track,date`, as one of the common exporters of Last.fm writes it: minutes, no header. */
export function lastfmMinutes(listens: readonly MadeListen[]): string {
  return listens
    .map(({ at, artist, title, album }) => {
      const date = new Date(at * 1000);
      const day = `${two(date.getUTCDate())} ${MONTHS[date.getUTCMonth()]} ${date.getUTCFullYear()}`;
      return [artist, album, title, `${day} ${two(date.getUTCHours())}:${two(date.getUTCMinutes())}`]
        .map(cell)
        .join(',');
    })
    .map((line) => `${line}\n`)
    .join('');
}

/** The other one: seconds and MBIDs, with a header. */
export function lastfmSeconds(listens: readonly MadeListen[]): string {
  const rows = listens.map(({ at, artist, title, album }) =>
    [String(at), new Date(at * 1000).toISOString(), artist, '', album, '', title, ''].map(cell).join(','),
  );
  return ['uts,utc_time,artist,artist_mbid,album,album_mbid,track,track_mbid', ...rows, ''].join('\r\n');
}

/** Rows of `Streaming_History_Audio_*.json`. */
export function spotifyRows(listens: readonly MadeListen[], ms_played = 200_000, more: object = {}): object[] {
  return listens.map(({ at, artist, title, album }) => ({
    ts: new Date(at * 1000 + ms_played).toISOString().replace('.000', ''),
    platform: 'ios',
    ms_played,
    ip_addr: '192.0.2.1',
    master_metadata_track_name: title,
    master_metadata_album_artist_name: artist,
    master_metadata_album_album_name: album,
    spotify_track_uri: 'spotify:track:4PTG3Z6ehGkBFwjybzWkR8',
    episode_name: null,
    episode_show_name: null,
    reason_start: 'trackdone',
    reason_end: 'trackdone',
    skipped: false,
    incognito_mode: false,
    ...more,
  }));
}

/** Packs files by name into an archive. */
export async function packZip(file: string, entries: Readonly<Record<string, string | Buffer>>): Promise<void> {
  const zip = new ZipFile();
  for (const [name, content] of Object.entries(entries)) zip.addBuffer(Buffer.from(content as string), name);
  zip.end();
  await pipeline(zip.outputStream, createWriteStream(file));
}
