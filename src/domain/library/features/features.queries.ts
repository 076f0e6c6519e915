import { setImmediate } from 'node:timers/promises';
import { notFound } from '#domain/errors.ts';
import { FEATURES_VERSION } from './analyse-file.ts';
import { NEEDS_FFMPEG } from './decode.ts';
import { albumLoudness, gainOf } from './loudness.rules.ts';
import type { TrackFeatures } from '#contract/library.ts';
import type { Actor, Ctx } from '#domain/context.ts';
import type { Schema } from '#domain/database.ts';
import type { Kysely } from 'kysely';

type Db = Kysely<Schema>;

/** Rows read at once: SQLite reads hold up the event loop. */
const ROWS_PER_READ = 2000;

/**
 * The ids of tracks that are there and whose features are missing, of an older version or of other audio; of those that lacked an
 * ffmpeg only when there is one now.
 */
export async function tracksToAnalyse(db: Db, hasFfmpegNow: () => Promise<boolean>): Promise<string[]> {
  const due: string[] = [];
  for (let after = ''; ; await setImmediate()) {
    const rows = await db
      .selectFrom('tracks')
      .leftJoin('track_features', 'track_features.track_id', 'tracks.id')
      .select(['tracks.id', 'tracks.audio_hash', 'tracks.missing_since'])
      .select(['track_features.version', 'track_features.audio_hash as of_audio', 'track_features.problem'])
      .where('tracks.id', '>', after)
      .orderBy('tracks.id')
      .limit(ROWS_PER_READ)
      .execute();
    for (const { id, audio_hash, missing_since, version, of_audio, problem } of rows) {
      if (missing_since !== null) continue;
      const isCurrent = version === FEATURES_VERSION && of_audio === audio_hash;
      if (!isCurrent || (problem === NEEDS_FFMPEG && (await hasFfmpegNow()))) due.push(id);
    }
    const last = rows.at(-1);
    if (last === undefined || rows.length < ROWS_PER_READ) return due;
    after = last.id;
  }
}

/** The file to analyse; null when the track is not there any more. */
export async function fileToAnalyse(db: Db, track_id: string) {
  const row = await db
    .selectFrom('tracks')
    .select(['id', 'library_root', 'track_path', 'container', 'duration', 'audio_hash'])
    .where('id', '=', track_id)
    .where('missing_since', 'is', null)
    .executeTakeFirst();
  return row ?? null;
}

export interface VectorRow {
  track_id: string;
  /** Null when the track has no sound. */
  vector: Float32Array | null;
  computed_at: number;
}

/** Vectors computed since, in that order, at most some thousand: ask again from the last one. */
export async function vectorsSince(db: Db, since: Pick<VectorRow, 'computed_at' | 'track_id'>): Promise<VectorRow[]> {
  const rows = await db
    .selectFrom('track_features')
    .select(['track_id', 'vector', 'computed_at'])
    .where('version', '=', FEATURES_VERSION)
    .where((eb) => eb(eb.refTuple('computed_at', 'track_id'), '>', eb.tuple(since.computed_at, since.track_id)))
    .orderBy('computed_at')
    .orderBy('track_id')
    .limit(ROWS_PER_READ)
    .execute();
  return rows.map(({ track_id, vector, computed_at }) => ({
    track_id,
    // Copied, because numbers must begin at a multiple of four.
    vector: vector === null ? null : new Float32Array(Uint8Array.from(vector).buffer, 0, vector.byteLength >> 2),
    computed_at: Number(computed_at),
  }));
}

/** Tempi of tracks, by id, of those that have one. */
export async function tempiOf(
  db: Db,
  track_ids: readonly string[],
): Promise<Map<string, { tempo: number; confidence: number }>> {
  if (track_ids.length === 0) return new Map();
  const rows = await db
    .selectFrom('track_features')
    .select(['track_id', 'tempo', 'tempo_confidence'])
    .where('track_id', 'in', track_ids)
    .where('tempo', 'is not', null)
    .execute();
  return new Map(rows.map((row) => [row.track_id, { tempo: row.tempo ?? 0, confidence: row.tempo_confidence ?? 0 }]));
}

const sharesOf = (chroma: Uint8Array | null) =>
  chroma === null ? null : Array.from(chroma, (share) => Number((share / 255).toFixed(3)));
const rounded = (value: number | null, digits: number) => (value === null ? null : Number(value.toFixed(digits)));

/** How loud an album is as a whole, and its highest peak, from those of its tracks that are known. */
async function albumLevel(db: Db, album_id: string | null): Promise<{ gain: number | null; peak: number | null }> {
  if (album_id === null) return { gain: null, peak: null };
  const rows = await db
    .selectFrom('tracks')
    .innerJoin('track_features', 'track_features.track_id', 'tracks.id')
    .select(['track_features.loudness_blocks', 'track_features.peak'])
    .where('tracks.album_id', '=', album_id)
    .where('tracks.missing_since', 'is', null)
    .where('track_features.version', '=', FEATURES_VERSION)
    .execute();
  const loudness = albumLoudness(rows.flatMap((row) => row.loudness_blocks ?? []));
  const peaks = rows.flatMap((row) => row.peak ?? []);
  return { gain: gainOf(loudness), peak: peaks.length === 0 ? null : Math.max(...peaks) };
}

/** How a track sounds and how loud it is. @throws DomainError `not_found` */
export async function getTrackFeatures(
  ctx: Ctx,
  _actor: Actor,
  { track_id }: { track_id: string },
): Promise<TrackFeatures> {
  const row = await ctx.db
    .selectFrom('tracks')
    .leftJoin('track_features', 'track_features.track_id', 'tracks.id')
    .select(['tracks.album_id', 'tracks.audio_hash'])
    .select(['version', 'track_features.audio_hash as of_audio', 'loudness', 'peak', 'tempo', 'tempo_confidence'])
    .select(['chroma', 'brightness', 'dynamics', 'problem', 'computed_at'])
    .where('tracks.id', '=', track_id)
    .executeTakeFirst();
  if (row === undefined) throw notFound('track');
  const isCurrent = row.version === FEATURES_VERSION && row.of_audio === row.audio_hash;
  const known = isCurrent ? row : null;
  const album = await albumLevel(ctx.db, row.album_id);
  return {
    track_id,
    state: known === null ? 'waiting' : known.problem === null ? 'ready' : 'failed',
    problem: known?.problem ?? null,
    loudness_lufs: rounded(known?.loudness ?? null, 2),
    gain_db: rounded(gainOf(known?.loudness ?? null), 2),
    peak: rounded(known?.peak ?? null, 4),
    album_gain_db: rounded(album.gain, 2),
    album_peak: rounded(album.peak, 4),
    tempo: rounded(known?.tempo ?? null, 1),
    tempo_confidence: rounded(known?.tempo_confidence ?? null, 2),
    chroma: sharesOf(known?.chroma ?? null),
    brightness_hz: rounded(known?.brightness ?? null, 0),
    dynamics_db: rounded(known?.dynamics ?? null, 1),
    computed_at: known === null ? null : Number(known.computed_at),
  };
}
