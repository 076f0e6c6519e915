import { lockPerson } from '../accounts/lock-person.ts';
import { epochSeconds } from '../ports.ts';
import { zoneOf } from './listener-zone.ts';
import { localTime } from './local-time.rules.ts';
import { findTracks, writeMatches } from './match-recordings.ts';
import { externalKey, lengthMs, matchKey, recordingId, recordingKey } from './recordings.rules.ts';
import { insertRecordings, knownRecordings } from './recordings.repository.ts';
import { markStaleDays } from './stale-days.ts';
import { FARTHEST_S, findSame } from './whole-listens.rules.ts';
import {
  insertAliases,
  insertWholeListens,
  sessionsByKey,
  sessionsNear,
  takenSessions,
} from './whole-listens.repository.ts';
import type { MatchableTrack } from '../library/library.queries.ts';
import type { Ctx, TxCtx } from '../context.ts';
import type { ListeningSessionsTable } from './listens.table.ts';
import type { NamedRecording } from './recordings.rules.ts';
import type { KnownListen, ToldListen } from './whole-listens.rules.ts';
import type { NearbySession } from './whole-listens.repository.ts';
import type { Insertable } from 'kysely';

/** What programs may say of themselves and of a listen, as it is kept in `client_info_json`. */
export interface ToldBy {
  /** The program's or service's own name. */
  name?: string | undefined;
  /** What else ListenBrainz' programs say (`additional_info`). */
  info?: Readonly<Record<string, unknown>> | undefined;
  /** How far off its time may be (seconds), where it is more than one. */
  precision_s?: number | undefined;
  /** The import it came by. */
  job_id?: string | undefined;
}

/** A listen that comes whole, from a program that has watched it or a service that kept it. */
export interface WholeListen extends NamedRecording {
  /** Epoch seconds. */
  listened_at: number;
  /** Milliseconds of listening, if they are known; else the track's length is taken. */
  played_ms: number | null;
  precision_s: number;
  is_hidden: boolean;
  /** Whether it counts, given the track's length (null: not known). */
  counts(duration_ms: number | null): boolean;
  was_skipped: boolean;
  told_by: ToldBy;
}

export type Recorded = { recording_id: string; track: MatchableTrack | null } & (
  { is: 'new'; session_id: string; counted: boolean } | { is: 'known'; session_id: string }
);

/** All that was looked up of some listens before the transaction that writes them. */
interface Looked {
  listen: WholeListen;
  match_key: string;
  recording_key: string;
  recording_id: string;
  track: MatchableTrack | null;
}

const CLIENT_SILENT_MS = 600_000;

/**
 * Looks up what some listens of a person are. What it answers records them as part of a transaction, each once however often it
 * is told, and says what became of each, in order [LBZ1-10].
 */
export async function prepareListens(
  ctx: Ctx,
  user_id: string,
  listens: readonly WholeListen[],
  { source, job_id = null }: { source: 'api' | 'import'; job_id?: string | null },
): Promise<(tx: TxCtx) => Promise<Recorded[]>> {
  const tracks = await findTracks(ctx.db, listens);
  const looked = listens.map((listen, i): Looked => {
    const recording_key = recordingKey(listen);
    return {
      listen,
      match_key: matchKey(listen),
      recording_key,
      recording_id: recordingId(recording_key),
      track: tracks[i] ?? null,
    };
  });
  const known = await knownRecordings(ctx.db, [...new Set(looked.map((one) => one.recording_id))]);
  // Heard before its track was there, and no scan since.
  const found = looked.flatMap(({ recording_id, track }) =>
    track !== null && known.get(recording_id)?.track_id === null ? [[recording_id, track.id] as const] : [],
  );
  if (found.length > 0) await writeMatches(ctx, new Map(found));
  const time_zone = await zoneOf(ctx, user_id);
  return (tx) => write(tx, { user_id, looked, known, time_zone, source, job_id });
}

async function write(
  tx: TxCtx,
  {
    user_id,
    looked,
    known,
    time_zone,
    source,
    job_id,
  }: {
    user_id: string;
    looked: readonly Looked[];
    known: Awaited<ReturnType<typeof knownRecordings>>;
    time_zone: string;
    source: 'api' | 'import';
    job_id: string | null;
  },
): Promise<Recorded[]> {
  const { trx } = tx;
  // Of two programs that tell of one play at once, the second finds the first.
  await lockPerson(tx, user_id);
  await insertRecordings(
    trx,
    [...new Map(looked.map((one) => [one.recording_id, one])).values()]
      .filter(({ recording_id }) => !known.has(recording_id))
      .map(({ listen, match_key, recording_key, recording_id, track }) => ({
        id: recording_id,
        recording_key,
        match_key,
        title: listen.title,
        artist: listen.artist,
        album: listen.album,
        duration_ms: listen.duration_ms,
        recording_mbid: listen.recording_mbid,
        isrc: listen.isrc,
        track_id: track?.id ?? null,
        created_at: epochSeconds(tx.clock),
      })),
  );

  const keys = looked.map(({ listen, match_key }) => externalKey(listen.listened_at, match_key));
  const byKey = await sessionsByKey(trx, user_id, [...new Set(keys)]);
  const nearby = await knownNear(tx, user_id, looked, job_id);
  const byId = new Map([...nearby.values()].flat().map((one) => [one.session_id, one]));
  const told = looked.map(({ listen, match_key, track }): ToldListen => {
    const { listened_at: started_at, precision_s } = listen;
    return { started_at, precision_s, match_key, track_id: track?.id ?? null };
  });
  const candidates = ({ match_key, track_id }: ToldListen) =>
    new Set([...(nearby.get(match_key) ?? []), ...(nearby.get(track_id ?? '') ?? [])]);
  const find = (one: ToldListen) => findSame(one, candidates(one), { isEachOnce: job_id !== null });

  const aliases = new Map<string, string>();
  const sessions: (Insertable<ListeningSessionsTable> & { local_day: number })[] = [];
  const recorded = new Map<number, Recorded>();
  const take = (i: number, session_id: string) => {
    aliases.set(keys[i]!, session_id);
    byKey.set(keys[i]!, session_id);
    const taken = byId.get(session_id);
    if (taken !== undefined) taken.isTaken = true;
    recorded.set(i, { is: 'known', session_id, ...musicOf(looked[i]!) });
  };
  // What is known by its very second first, then whoever is nearest: a repeat that is not there yet takes no other's place.
  for (const [i, key] of keys.entries()) {
    const session_id = byKey.get(key);
    if (session_id !== undefined) take(i, session_id);
  }
  const distance = (i: number) => {
    const same = find(told[i]!);
    return same === null ? Infinity : Math.abs(same.started_at - told[i]!.started_at);
  };
  const open = [...keys.keys()].filter((i) => !recorded.has(i)).map((i) => ({ i, distance: distance(i) }));
  for (const { i } of open.sort((a, b) => (a.distance === b.distance ? a.i - b.i : a.distance - b.distance))) {
    const one = looked[i]!;
    const key = keys[i]!;
    const same = byKey.get(key) ?? find(told[i]!)?.session_id;
    if (same !== undefined) {
      take(i, same);
      continue;
    }
    const session = sessionOf(tx, one, { user_id, time_zone, source, key });
    sessions.push(session);
    byKey.set(key, session.id);
    recorded.set(i, { is: 'new', session_id: session.id, counted: session.counted === 1, ...musicOf(one) });
    // Rows of one import are plays of their own; programs that submit may tell of one play in one breath.
    if (job_id === null) {
      const fresh = { ...told[i]!, session_id: session.id, isLive: false, track_duration: null, isTaken: false };
      nearby.set(one.match_key, [...(nearby.get(one.match_key) ?? []), fresh]);
    }
  }
  await insertWholeListens(trx, sessions);
  await insertAliases(
    trx,
    [...aliases].map(([external_key, session_id]) => ({ user_id, external_key, session_id, job_id })),
  );
  await markStaleDays(
    trx,
    user_id,
    sessions.map((session) => session.local_day),
  );
  return looked.map((_one, i) => recorded.get(i)!);
}

const musicOf = ({ recording_id, track }: Looked) => ({ recording_id, track });

/** What the person has heard of this music around these times, by match key and by track. */
async function knownNear(
  { trx, clock }: TxCtx,
  user_id: string,
  looked: readonly Looked[],
  job_id: string | null,
): Promise<Map<string, KnownListen[]>> {
  const times = looked.map(({ listen }) => listen.listened_at);
  const rows = await sessionsNear(
    trx,
    user_id,
    {
      track_ids: [...new Set(looked.flatMap(({ track }) => track?.id ?? []))],
      match_keys: [...new Set(looked.map(({ match_key }) => match_key))],
    },
    [
      times.reduce((a, b) => Math.min(a, b), Infinity) - FARTHEST_S,
      times.reduce((a, b) => Math.max(a, b), -Infinity) + FARTHEST_S,
    ],
  );
  const taken = await takenSessions(
    trx,
    rows.map((row) => row.id),
    job_id,
  );
  const near = new Map<string, KnownListen[]>();
  for (const row of rows) {
    const { precision_s = 1, job_id: came_by } = JSON.parse(row.client_info_json) as ToldBy;
    // A row of the same file.
    if (job_id !== null && came_by === job_id) continue;
    const isLive = isOwnPlayer(row) && (row.counted === 1 || isUnderWay(row, clock.nowMs()));
    // What our own player left before it counted tells nothing of what another heard to the end.
    if (isOwnPlayer(row) && !isLive) continue;
    const one: KnownListen = {
      session_id: row.id,
      started_at: row.started_at,
      precision_s,
      track_id: row.track_id,
      match_key: row.match_key,
      isLive,
      track_duration: row.track_duration,
      isTaken: taken.has(row.id),
    };
    for (const key of [row.match_key, row.track_id]) {
      if (key !== null) near.set(key, [...(near.get(key) ?? []), one]);
    }
  }
  return near;
}

const isOwnPlayer = ({ external_key }: NearbySession) => external_key === null;

function isUnderWay({ state, reported_at_ms, track_duration }: NearbySession, nowMs: number): boolean {
  const silentMs = Math.max(CLIENT_SILENT_MS, (track_duration ?? 0) * 1000);
  return state !== 'stopped' && nowMs - reported_at_ms < silentMs;
}

/** [LP6] The share of a track from which on it was heard to the end. */
const COMPLETED_SHARE = 0.8;

function sessionOf(
  { ids, clock }: TxCtx,
  { listen, recording_id, track }: Looked,
  { user_id, time_zone, source, key }: { user_id: string; time_zone: string; source: string; key: string },
): Insertable<ListeningSessionsTable> & { id: string; local_day: number } {
  const { listened_at, played_ms, told_by } = listen;
  const duration_ms = lengthMs(listen, track);
  const heardMs = Math.round(played_ms ?? duration_ms ?? 0);
  const [fromMs, toMs] = [listened_at * 1000, listened_at * 1000 + heardMs];
  const counted = listen.counts(duration_ms);
  return {
    id: ids.id(),
    user_id,
    track_id: track?.id ?? null,
    recording_id,
    client_session_id: null,
    external_key: key,
    started_at: listened_at,
    ended_at: Math.floor(toMs / 1000),
    time_zone: null,
    ...localTime(time_zone, listened_at),
    duration_played: heardMs / 1000,
    completed: duration_ms !== null && heardMs > COMPLETED_SHARE * duration_ms ? 1 : 0,
    counted: counted ? 1 : 0,
    skipped: listen.was_skipped && !counted ? 1 : 0,
    is_hidden: listen.is_hidden ? 1 : 0,
    source,
    client_info_json: JSON.stringify(told_by),
    position_ms: heardMs,
    reported_at_ms: toMs,
    state: 'stopped',
    last_seq: -1,
    rate: 1,
    spans_json: '[]',
    wall_json: heardMs > 0 ? JSON.stringify([[fromMs, toMs]]) : '[]',
    inserted_at: epochSeconds(clock),
  };
}
