import { setImmediate } from 'node:timers/promises';
import { tracksLike } from '../library/library.queries.ts';
import { inTransaction } from '../unit-of-work.ts';
import { adoptFeedback } from './feedback.repository.ts';
import { chooseTrack, matchKey } from './recordings.rules.ts';
import { pieces, unmatchedRecordings, writeMatch } from './recordings.repository.ts';
import type { MatchableTrack } from '../library/library.queries.ts';
import type { Ctx } from '../context.ts';
import type { Schema } from '../database.ts';
import type { NamedRecording } from './recordings.rules.ts';
import type { Kysely } from 'kysely';

/** Recordings looked at in one go: a read of SQLite holds up the event loop. */
const READ_AT_ONCE = 500;
/** Recordings written in one transaction, each with all its listens. */
const WRITTEN_AT_ONCE = 50;

/** [LBZ1-20] The track of the library each of these is, or null. */
export async function findTracks(
  db: Kysely<Schema>,
  songs: readonly NamedRecording[],
): Promise<(MatchableTrack | null)[]> {
  const keys = songs.map(matchKey);
  const tracks = await tracksLike(db, {
    title_sorts: keys,
    mbids: songs.flatMap(({ recording_mbid }) => recording_mbid ?? []),
    isrcs: songs.flatMap(({ isrc }) => isrc ?? []),
  });
  if (tracks.length === 0) return songs.map(() => null);
  const group = (of: (track: MatchableTrack) => string | null) => Map.groupBy(tracks, of);
  const [bySort, byMbid, byIsrc] = [
    group((track) => track.title_sort),
    group((track) => track.recording_mbid),
    group((track) => track.isrc),
  ];
  return songs.map((song, i) => {
    const candidates = new Set([
      ...(bySort.get(keys[i]!) ?? []),
      ...(song.recording_mbid === null ? [] : (byMbid.get(song.recording_mbid) ?? [])),
      ...(song.isrc === null ? [] : (byIsrc.get(song.isrc) ?? [])),
    ]);
    return candidates.size === 0 ? null : chooseTrack(song, [...candidates]);
  });
}

/** Says of recordings which track they are, in their listens and in what people think of them. */
export async function writeMatches(ctx: Ctx, matches: ReadonlyMap<string, string>): Promise<void> {
  for (const some of pieces([...matches], WRITTEN_AT_ONCE)) {
    await inTransaction(ctx, async (tx) => {
      for (const [recording_id, track_id] of some) {
        await writeMatch(tx.trx, recording_id, track_id);
        await adoptFeedback(tx, recording_id, track_id);
      }
    });
  }
}

/** [LBZ1-21] Looks for the tracks of everything that was heard and not found yet: after a scan, when there may be new ones. */
export async function matchRecordings(ctx: Ctx): Promise<number> {
  let count = 0;
  for (let after = ''; ; await setImmediate()) {
    const recordings = await unmatchedRecordings(ctx.db, after, READ_AT_ONCE);
    const last = recordings.at(-1);
    if (last === undefined) return count;
    const tracks = await findTracks(ctx.db, recordings);
    const matches = new Map(recordings.flatMap(({ id }, i) => (tracks[i] ? [[id, tracks[i].id] as const] : [])));
    await writeMatches(ctx, matches);
    count += matches.size;
    after = last.id;
  }
}
