import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { parseBuffer, parseFile, selectCover } from 'music-metadata';
import { identifyAudio } from './audio-hash.ts';
import { storeCover } from './covers.ts';
import { cleanIsrc, cleanTag, cleanUuid, titleFromPath } from './library.rules.ts';
import type { Container } from './audio-hash.ts';
import type { StoredCover } from './covers.ts';
import type { TrackTags } from './library.rules.ts';
import type { IAudioMetadata } from 'music-metadata';

/** Files up to this size are read once, into memory; larger ones in pieces. */
const SMALL_BYTES = 512 * 1024;
/** Longer than any piece of music: such a duration is a broken header. */
const MAX_SECONDS = 7 * 86_400;

export interface ReadJob {
  /** Absolute. */
  file: string;
  track_path: string;
  /** Where covers are kept. */
  dataDir: string;
}

/** What was found in a file, or why it is no music. */
export type ReadResult =
  | {
      tags: TrackTags;
      audio_hash: string;
      container: Container;
      codec: string | null;
      duration: number | null;
      cover: StoredCover | null;
      file_size_bytes: number;
      file_mtime_ms: number;
    }
  | {
      problem: string;
      /** It may be otherwise next time though the file stays the same: a matter of rights, or of the disk. */
      isPassing?: boolean;
    };

const MIME: Record<Container, string> = {
  mpeg: 'audio/mpeg',
  adts: 'audio/aac',
  flac: 'audio/flac',
  ogg: 'audio/ogg',
  mp4: 'audio/mp4',
  wave: 'audio/wav',
};

/** Codec names as people say them, from what the parser says. */
const CODECS: [pattern: RegExp, name: string][] = [
  [/layer 3|mp3/i, 'MP3'],
  [/layer 2/i, 'MP2'],
  [/^alac/i, 'ALAC'],
  [/aac|mp4a/i, 'AAC'],
  [/vorbis/i, 'Vorbis'],
  [/opus/i, 'Opus'],
  [/flac/i, 'FLAC'],
  [/^pcm/i, 'PCM'],
];

function codecName(codec: string | undefined, container: Container): string | null {
  const known = CODECS.find(([pattern]) => pattern.test(codec ?? ''))?.[1];
  if (known !== undefined) return known;
  if (container === 'adts') return 'AAC';
  return cleanTag(codec, 40);
}

function positive(n: number | null | undefined, max: number): number | null {
  return typeof n === 'number' && Number.isInteger(n) && n > 0 && n <= max ? n : null;
}

/** The year of a date as tags spell it: `1999`, `1999-05-01`, `01/05/1999`. */
function yearOf(common: IAudioMetadata['common']): number | null {
  if (positive(common.year, 9999) !== null) return positive(common.year, 9999);
  const found = /(?<!\d)(\d{4})(?!\d)/.exec(common.date ?? common.releasedate ?? common.originaldate ?? '');
  return found === null ? null : positive(Number(found[1]), 9999);
}

function tagsOf({ common }: IAudioMetadata, trackPath: string): TrackTags {
  const artists = (common.artists ?? []).map((name) => cleanTag(name)).filter((name) => name !== null);
  const artist = cleanTag(common.artist) ?? artists[0] ?? null;
  const genres = (common.genre ?? [])
    .flatMap((genre) => genre.split(/[;\0]|\s\/\s/))
    .map((genre) => cleanTag(genre, 100))
    .filter((genre) => genre !== null);
  return {
    title: cleanTag(common.title) ?? titleFromPath(trackPath),
    artist,
    main_artist: artists.length > 1 ? (artists[0] ?? artist) : artist,
    album: cleanTag(common.album),
    album_artist: cleanTag(common.albumartist) ?? (common.compilation === true ? 'Various Artists' : null),
    genres: [...new Set(genres)].slice(0, 20),
    year: yearOf(common),
    track_number: positive(common.track.no, 99_999),
    disc_number: positive(common.disk.no, 9999),
    recording_mbid: cleanUuid(common.musicbrainz_recordingid),
    isrc: common.isrc?.map(cleanIsrc).find((isrc) => isrc !== null) ?? null,
  };
}

/** Reads one file: what it says of itself, what identifies its audio, and its picture, which is stored. Never throws for a bad file. */
export async function readTrack({ file, track_path, dataDir }: ReadJob): Promise<ReadResult> {
  let fd: number;
  try {
    // Not blocking: a pipe named like music must not hold up the scan.
    fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    return {
      problem: `cannot be opened (${(error as NodeJS.ErrnoException).code ?? 'unknown error'})`,
      isPassing: true,
    };
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) return { problem: 'is not a regular file' };
    if (stat.size === 0) return { problem: 'is empty (0 bytes)' };
    const readAt = (position: number, length: number): Buffer => {
      const room = Buffer.allocUnsafe(Math.max(0, Math.min(length, stat.size - position)));
      let filled = 0;
      while (filled < room.length) {
        const n = readSync(fd, room, filled, room.length - filled, position + filled);
        if (n === 0) break;
        filled += n;
      }
      return room.subarray(0, filled);
    };
    const whole = stat.size <= SMALL_BYTES ? readAt(0, stat.size) : null;
    const identity = identifyAudio(
      whole === null ? readAt : (at, n) => whole.subarray(Math.min(at, whole.length), at + n),
      stat.size,
    );
    if (identity === null) return { problem: 'is not audio of a kind this server plays' };

    const info = { mimeType: MIME[identity.container], size: stat.size };
    const parse = (options: { duration: boolean }) =>
      whole === null ? parseFile(file, options) : parseBuffer(whole, info, options);
    let metadata = await parse({ duration: false });
    let duration = identity.duration ?? metadata.format.duration ?? null;
    if (duration === null) {
      // Without a header that tells, the frames have to be counted.
      metadata = await parse({ duration: true });
      duration = metadata.format.duration ?? null;
    }
    if (metadata.format.codec === undefined || duration === null || !(duration > 0) || duration > MAX_SECONDS) {
      return { problem: 'holds no readable audio' };
    }
    const picture = selectCover(metadata.common.picture);
    return {
      tags: tagsOf(metadata, track_path),
      audio_hash: identity.audio_hash,
      container: identity.container,
      codec: codecName(metadata.format.codec, identity.container),
      duration: Math.round(duration * 1000) / 1000,
      cover: picture === null ? null : storeCover(dataDir, picture.data),
      file_size_bytes: stat.size,
      file_mtime_ms: Math.floor(stat.mtimeMs),
    };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    // No room for a cover is the server's trouble, not the file's.
    if (code === 'ENOSPC' || code === 'EDQUOT') throw error;
    return {
      problem: `cannot be read as music: ${cleanTag(error instanceof Error ? error.message : String(error), 160) ?? 'unknown error'}`,
      isPassing: code !== undefined,
    };
  } finally {
    closeSync(fd);
  }
}
