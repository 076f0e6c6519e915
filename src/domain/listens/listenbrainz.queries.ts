import { findUserByUsername } from '../accounts/accounts.queries.ts';
import { notFound } from '../errors.ts';
import { tracksByIds } from '../library/library.queries.ts';
import { canSee, sightsOf } from '../social/social.access.ts';
import { feedbackPage } from './feedback.repository.ts';
import { recordingsByIds } from './listens.repository.ts';
import { lengthMs, recordingId, recordingKey, uuidOfTrack } from './recordings.rules.ts';
import type { Track } from '#contract/library.ts';
import type { Actor, Ctx } from '../context.ts';
import type { ListeningSessionsTable, RecordingsTable } from './listens.table.ts';
import type { ToldBy } from './record-listens.ts';
import type { Selectable } from 'kysely';

/** Somebody whose listening the caller may see. */
export interface Listener {
  id: string;
  username: string;
  is_self: boolean;
}

/** @throws DomainError not_found, for whoever is not there as for whoever does not let the caller see it */
export async function listener(ctx: Pick<Ctx, 'db' | 'clock'>, actor: Actor, username: string): Promise<Listener> {
  const hidden = notFound('user');
  if (username.includes('\0')) throw hidden;
  const user = await findUserByUsername(ctx.db, username);
  if (user === null) throw hidden;
  const sight = (await sightsOf(ctx, actor.user_id, [user.id])).get(user.id);
  if (sight === undefined || !canSee(sight, 'listening')) throw hidden;
  return { id: user.id, username: user.username, is_self: sight.is_self };
}

export interface LbMetadata {
  artist_name: string;
  track_name: string;
  release_name?: string;
  additional_info: Record<string, unknown>;
  recording_msid?: string;
}
/** A listen as ListenBrainz' programs read it. */
export interface LbListen {
  listened_at?: number;
  inserted_at?: number;
  recording_msid: string;
  user_name: string;
  track_metadata: LbMetadata;
  playing_now?: true;
}

type Row = Pick<
  Selectable<ListeningSessionsTable>,
  'started_at' | 'inserted_at' | 'track_id' | 'recording_id' | 'client_info_json'
>;
const LISTEN_COLUMNS = ['started_at', 'inserted_at', 'track_id', 'recording_id', 'client_info_json'] as const;

function metadataOf(track: Track | null, recording: RecordingsTable | null, told: ToldBy, msid: string): LbMetadata {
  // As the other program named it, so that it finds its own again.
  const album = recording === null ? (track?.album ?? null) : recording.album;
  const duration_ms = lengthMs(recording, track);
  const recording_mbid = recording?.recording_mbid ?? null;
  return {
    artist_name: recording?.artist ?? track?.artist ?? '',
    track_name: recording?.title ?? track?.title ?? '',
    ...(album === null ? {} : { release_name: album }),
    additional_info: {
      ...(recording_mbid === null ? {} : { recording_mbid }),
      ...told.info,
      ...(duration_ms === null ? {} : { duration_ms }),
      recording_msid: msid,
    },
  };
}

/** [LBZ1-12] A person's listens between two moments (epoch seconds, neither included), newest first. */
export async function lbListens(
  ctx: Pick<Ctx, 'db'>,
  who: Listener,
  { count, min_ts, max_ts }: { count: number; min_ts: number | null; max_ts: number | null },
): Promise<{ listens: LbListen[]; latest_listen_ts: number; oldest_listen_ts: number }> {
  const theirs = ctx.db
    .selectFrom('listening_sessions')
    .where('user_id', '=', who.id)
    .where('counted', '=', 1)
    .$if(!who.is_self, (query) => query.where('is_hidden', '=', 0));
  // With a lower bound alone a program pages forward: it wants those that follow it.
  const direction = min_ts !== null && max_ts === null ? 'asc' : 'desc';
  const rows = await theirs
    .select(LISTEN_COLUMNS)
    .$if(min_ts !== null, (query) => query.where('started_at', '>', min_ts!))
    .$if(max_ts !== null, (query) => query.where('started_at', '<', max_ts!))
    .orderBy('started_at', direction)
    .orderBy('id', direction)
    .limit(count)
    .execute();
  const ends = await theirs
    .select((eb) => [eb.fn.max('started_at').as('latest'), eb.fn.min('started_at').as('oldest')])
    .executeTakeFirst();
  const listens = await presentListens(ctx, who.username, rows);
  listens.sort((a, b) => (b.listened_at ?? 0) - (a.listened_at ?? 0));
  return {
    listens,
    latest_listen_ts: Number(ends?.latest ?? 0),
    oldest_listen_ts: Number(ends?.oldest ?? 0),
  };
}

async function presentListens(ctx: Pick<Ctx, 'db'>, user_name: string, rows: readonly Row[]): Promise<LbListen[]> {
  const recordings = await recordingsByIds(
    ctx.db,
    rows.flatMap((row) => row.recording_id ?? []),
  );
  const tracks = await tracksByIds(
    ctx.db,
    rows.flatMap((row) => row.track_id ?? []),
  );
  return rows.map((row) => {
    const recording = recordings.get(row.recording_id ?? '') ?? null;
    const recording_msid = recording?.id ?? uuidOfTrack(row.track_id ?? '');
    const told = recording === null ? {} : (JSON.parse(row.client_info_json) as ToldBy);
    return {
      listened_at: row.started_at,
      inserted_at: row.inserted_at,
      recording_msid,
      user_name,
      track_metadata: metadataOf(tracks.get(row.track_id ?? '') ?? null, recording, told, recording_msid),
    };
  });
}

/** How many listens a person has. */
export async function lbListenCount(ctx: Pick<Ctx, 'db'>, who: Listener): Promise<number> {
  const { count } = await ctx.db
    .selectFrom('listening_sessions')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('user_id', '=', who.id)
    .where('counted', '=', 1)
    .$if(!who.is_self, (query) => query.where('is_hidden', '=', 0))
    .executeTakeFirstOrThrow();
  return Number(count);
}

export interface LbFeedback {
  user_id: string;
  created: number;
  recording_mbid: string | null;
  recording_msid: string | null;
  score: number;
  track_metadata: LbMetadata | null;
}

/** [LBZ1-16] What a person loves and hates, newest first, favourites given here included. */
export async function lbFeedback(
  ctx: Pick<Ctx, 'db'>,
  who: Listener,
  {
    score,
    count,
    offset,
    withMetadata,
  }: { score: 1 | -1 | null; count: number; offset: number; withMetadata: boolean },
): Promise<{ feedback: LbFeedback[]; total_count: number }> {
  const { rows, total } = await feedbackPage(ctx.db, who.id, { score, limit: count, offset });
  const tracks = await tracksByIds(
    ctx.db,
    rows.flatMap((row) => row.track_id ?? []),
  );
  const recordings = await recordingsByIds(
    ctx.db,
    rows.flatMap((row) => row.recording_id ?? []),
  );
  const feedback = rows.map((row): LbFeedback => {
    const recording = recordings.get(row.recording_id ?? '') ?? null;
    const track = tracks.get(row.track_id ?? '') ?? null;
    const msid = row.recording_id ?? (row.track_id === null ? null : uuidOfTrack(row.track_id));
    return {
      user_id: who.username,
      created: Number(row.created_at),
      recording_mbid: row.recording_mbid ?? recording?.recording_mbid ?? null,
      recording_msid: msid,
      score: Number(row.score),
      track_metadata:
        withMetadata && msid !== null && (track !== null || recording !== null)
          ? metadataOf(track, recording, {}, msid)
          : null,
    };
  });
  return { feedback, total_count: total };
}

/** What a person is hearing, as presence has it. */
export function lbPlayingNow(
  who: Listener,
  now: {
    track: Track | null;
    text?: { title: string; artist: string | null; album: string | null; duration: number | null } | undefined;
  },
): LbListen {
  const { title, artist, album, duration } = now.track ??
    now.text ?? { title: '', artist: null, album: null, duration: null };
  const named = { title, artist: artist ?? '', album, duration_ms: null, recording_mbid: null, isrc: null };
  return {
    playing_now: true,
    recording_msid: now.track === null ? recordingId(recordingKey(named)) : uuidOfTrack(now.track.id),
    user_name: who.username,
    track_metadata: {
      artist_name: artist ?? '',
      track_name: title,
      ...(album === null ? {} : { release_name: album }),
      additional_info: duration === null ? {} : { duration_ms: Math.round(duration * 1000) },
    },
  };
}

/** Up to when a program of the caller's has imported from a service; 0 before the first import. */
export async function latestImport(ctx: Pick<Ctx, 'db'>, user_id: string, service: string): Promise<number> {
  const row = await ctx.db
    .selectFrom('latest_imports')
    .select('ts')
    .where('user_id', '=', user_id)
    .where('service', '=', service)
    .executeTakeFirst();
  return row?.ts ?? 0;
}
