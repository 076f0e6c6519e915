/** What ListenBrainz' programs change afterwards. */
import { epochSeconds } from '../ports.ts';
import { inTransaction } from '../unit-of-work.ts';
import { existingTrackIds, tracksLike } from '../library/library.queries.ts';
import { writeFeedback } from './feedback.repository.ts';
import { knownRecordings } from './recordings.repository.ts';
import { trackOfUuid, uuidOfTrack } from './recordings.rules.ts';
import { markStaleDays } from './stale-days.ts';
import { deleteSession, findWhole } from './whole-listens.repository.ts';
import type { Actor, Ctx } from '../context.ts';
import type { Subject } from './feedback.repository.ts';

/** [LBZ1-17] Deletes a listen of the caller's, at once, by when and what it was; it is no error if there is none. */
export async function deleteToldListen(
  ctx: Ctx,
  { user_id }: Actor,
  { listened_at, recording_msid }: { listened_at: number; recording_msid: string },
): Promise<void> {
  ctx.playbacks.forgetPerson(user_id);
  await inTransaction(ctx, async ({ trx }) => {
    for (const row of await findWhole(trx, user_id, listened_at)) {
      const msid = row.recording_id ?? uuidOfTrack(row.track_id ?? '');
      if (msid !== recording_msid) continue;
      await deleteSession(trx, user_id, row.id);
      await markStaleDays(trx, user_id, [row.local_day]);
    }
  });
  // What was read again meanwhile is gone too.
  ctx.playbacks.forgetPerson(user_id);
}

/** [LBZ1-15] Love, hate or neither, of what is named by MSID or MBID. Love of a track of the library is a favourite. */
export async function giveFeedback(
  ctx: Ctx,
  { user_id }: Actor,
  {
    recording_mbid,
    recording_msid,
    score,
  }: { recording_mbid: string | null; recording_msid: string | null; score: 1 | 0 | -1 },
): Promise<void> {
  const subject = await subjectOf(ctx, recording_mbid, recording_msid);
  // Something nobody here has heard of, and no MBID to know it by later.
  if (subject === null) return;
  const created_at = epochSeconds(ctx.clock);
  await inTransaction(ctx, (tx) => writeFeedback(tx, user_id, subject, { score, created_at }));
}

/** What an MSID or MBID names; null: nothing that is known here. */
export async function subjectOf(
  ctx: Ctx,
  recording_mbid: string | null,
  recording_msid: string | null,
): Promise<Subject | null> {
  const recording =
    recording_msid === null ? undefined : (await knownRecordings(ctx.db, [recording_msid])).get(recording_msid);
  const recording_id = recording?.id ?? null;
  const known_track = recording?.track_id ?? null;
  if (known_track !== null) return { track_id: known_track, recording_id, recording_mbid };
  if (recording_msid !== null) {
    const track_id = trackOfUuid(recording_msid);
    if ((await existingTrackIds(ctx.db, [track_id])).has(track_id))
      return { track_id, recording_id: null, recording_mbid };
  }
  if (recording_mbid !== null) {
    const [only, second] = await tracksLike(ctx.db, { title_sorts: [], mbids: [recording_mbid], isrcs: [] });
    if (only !== undefined && second === undefined) return { track_id: only.id, recording_id, recording_mbid };
  }
  return recording_id === null && recording_mbid === null ? null : { track_id: null, recording_id, recording_mbid };
}

/** [LBZ1-18] Notes up to when a program has imported; it only moves forward. */
export async function noteLatestImport(ctx: Ctx, { user_id }: Actor, service: string, ts: number): Promise<void> {
  await inTransaction(ctx, ({ trx }) =>
    trx
      .insertInto('latest_imports')
      .values({ user_id, service, ts })
      .onConflict((conflict) =>
        conflict.columns(['user_id', 'service']).doUpdateSet({ ts }).where('latest_imports.ts', '<', ts),
      )
      .execute(),
  );
}
