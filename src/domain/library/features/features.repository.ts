/** The only SQL that writes `track_features`. */
import { epochSeconds } from '#domain/ports.ts';
import { FEATURES_VERSION } from './analyse-file.ts';
import type { TxCtx } from '#domain/context.ts';
import type { TrackFeaturesTable } from '../library.table.ts';
import type { AnalysisResult } from './analyse-file.ts';

type Values = Omit<TrackFeaturesTable, 'track_id' | 'version' | 'audio_hash' | 'computed_at'>;

const NONE: Omit<Values, 'problem'> = {
  loudness: null,
  peak: null,
  loudness_blocks: null,
  tempo: null,
  tempo_confidence: null,
  chroma: null,
  brightness: null,
  dynamics: null,
  vector: null,
};

function valuesOf(result: AnalysisResult): Values {
  if ('problem' in result) return { ...NONE, problem: result.problem };
  const { loudness, peak, blocks, sound } = result;
  const whole = { ...NONE, loudness, peak, loudness_blocks: Buffer.from(blocks), problem: null };
  if (sound === null) return whole;
  const { tempo, chroma, brightness, dynamics, vector } = sound;
  return {
    ...whole,
    tempo: tempo.tempo,
    tempo_confidence: tempo.confidence,
    chroma: Buffer.from(chroma.map((share) => Math.round(share * 255))),
    brightness,
    dynamics,
    vector: Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength),
  };
}

/** Writes what was found out about a track's audio, in place of what was there. */
export async function writeFeatures(
  { trx, clock }: TxCtx,
  { id: track_id, audio_hash }: { id: string; audio_hash: string },
  result: AnalysisResult,
): Promise<void> {
  await put(trx, { track_id, audio_hash, ...valuesOf(result), computed_at: epochSeconds(clock) });
}

/** Gives a track the features of another whose audio is the same; false when there is none. */
export async function copyFeatures(
  { trx, clock }: TxCtx,
  { id: track_id, audio_hash }: { id: string; audio_hash: string },
): Promise<boolean> {
  const same = await trx
    .selectFrom('track_features')
    .selectAll()
    .where('audio_hash', '=', audio_hash)
    .where('version', '=', FEATURES_VERSION)
    .where('problem', 'is', null)
    .where('track_id', '!=', track_id)
    .limit(1)
    .executeTakeFirst();
  if (same === undefined) return false;
  await put(trx, { ...same, track_id, computed_at: epochSeconds(clock) });
  return true;
}

async function put(trx: TxCtx['trx'], row: Omit<TrackFeaturesTable, 'version'>): Promise<void> {
  const values = { ...row, version: FEATURES_VERSION };
  await trx
    .insertInto('track_features')
    .values(values)
    .onConflict((oc) => oc.column('track_id').doUpdateSet(values))
    .execute();
}
