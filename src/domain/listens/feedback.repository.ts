import { sql } from 'kysely';
import { setHeart } from '../favorites/set-heart.ts';
import type { TxCtx } from '../context.ts';
import type { Schema } from '../database.ts';
import type { ListenFeedbackTable } from './listens.table.ts';
import type { Kysely } from 'kysely';

/** Of what somebody thinks something: by track where it is known, else by recording, else by MBID. */
export type Subject = Pick<ListenFeedbackTable, 'track_id' | 'recording_id' | 'recording_mbid'>;

function subjectKey({ track_id, recording_id, recording_mbid }: Subject): string {
  return track_id !== null ? `t:${track_id}` : recording_id !== null ? `r:${recording_id}` : `m:${recording_mbid}`;
}

/** Writes what a person thinks of something (0: nothing). Love of a track of the library is a favourite, and nothing else. */
export async function writeFeedback(
  tx: Pick<TxCtx, 'trx' | 'clock' | 'publish'>,
  user_id: string,
  subject: Subject,
  { score, created_at }: { score: 1 | 0 | -1; created_at: number },
): Promise<void> {
  const key = subjectKey(subject);
  const { track_id } = subject;
  if (track_id !== null) await setHeart(tx, user_id, track_id, score === 1, created_at);
  if (score === 0 || (track_id !== null && score === 1)) {
    await tx.trx.deleteFrom('listen_feedback').where('user_id', '=', user_id).where('subject', '=', key).execute();
    return;
  }
  const row = { ...subject, score, created_at };
  await tx.trx
    .insertInto('listen_feedback')
    .values({ user_id, subject: key, ...row })
    .onConflict((conflict) => conflict.columns(['user_id', 'subject']).doUpdateSet(row))
    .execute();
}

/** What people think of a recording, or of its MBID, they think of the track it has turned out to be. */
export async function adoptFeedback(
  tx: Pick<TxCtx, 'trx' | 'clock' | 'publish'>,
  recording_id: string,
  track_id: string,
): Promise<void> {
  const rows = await tx.trx
    .deleteFrom('listen_feedback')
    .where('track_id', 'is', null)
    .where((eb) =>
      eb.or([
        eb('recording_id', '=', recording_id),
        eb(
          'recording_mbid',
          '=',
          eb.selectFrom('recordings').select('recording_mbid').where('recordings.id', '=', recording_id),
        ),
      ]),
    )
    .returningAll()
    .execute();
  for (const { user_id, recording_mbid, score, created_at } of rows) {
    await writeFeedback(tx, user_id, { track_id, recording_id, recording_mbid }, { score, created_at });
  }
}

/** One line of what a person loves or hates. */
export type FeedbackRow = Subject & { score: number; created_at: number };

/** What a person loves and hates, newest first, favourites included. */
export async function feedbackPage(
  db: Kysely<Schema>,
  user_id: string,
  { score, limit, offset }: { score: 1 | -1 | null; limit: number; offset: number },
): Promise<{ rows: FeedbackRow[]; total: number }> {
  const hearts = db
    .selectFrom('user_favorites')
    .where('user_id', '=', user_id)
    .where('favorited_at', 'is not', null)
    .select([
      'track_id',
      sql<string | null>`cast(null as text)`.as('recording_id'),
      sql<string | null>`cast(null as text)`.as('recording_mbid'),
      sql<number>`1`.as('score'),
      sql<number>`favorited_at`.as('created_at'),
    ]);
  const others = db
    .selectFrom('listen_feedback')
    .where('user_id', '=', user_id)
    .select(['track_id', 'recording_id', 'recording_mbid', 'score', 'created_at']);
  const all = db
    .selectFrom(others.unionAll(hearts as never).as('all'))
    .$if(score !== null, (query) => query.where('score', '=', score as 1 | -1));
  const { total } = await all.select((eb) => eb.fn.countAll<number>().as('total')).executeTakeFirstOrThrow();
  const rows = await all
    .selectAll()
    .orderBy('created_at', 'desc')
    .orderBy('track_id')
    .orderBy('recording_id')
    .orderBy('recording_mbid')
    .limit(limit)
    .offset(offset)
    .execute();
  return { rows, total: Number(total) };
}
