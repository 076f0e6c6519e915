import { z } from 'zod';
import { defineEndpoint } from './endpoint.ts';
import { defineNotice, defineRequest } from './event.ts';
import { Track } from './library.ts';
import type { Problem } from './problems.ts';
import { EpochMs, EpochSeconds, Id, PageQuery, PositionMs, QueryFlag, TimeZone, page } from './primitives.ts';
import { HeardText } from './stats.ts';

export const ListenSource = z.enum(['web', 'mobile', 'api']);
export const PlaybackState = z.enum(['playing', 'paused', 'stopped']);
export type PlaybackState = z.infer<typeof PlaybackState>;

/** `sent_at_ms` is the client's clock as it sends; with it the server takes the client's clock error out. */
const Clocked = { occurred_at_ms: EpochMs.optional(), sent_at_ms: EpochMs.optional() };
/** Which track: by id, or by its exact library path. */
const WhichTrack = { track_id: Id.optional(), track_path: z.string().min(1).max(4096).optional() };

export const StartListen = z
  .strictObject({
    ...WhichTrack,
    position_ms: PositionMs.default(0),
    source: ListenSource,
    client_session_id: z.uuid().optional(),
    /** Where the listener is, for statistics by their own calendar; without it the one of their preferences counts. */
    time_zone: TimeZone.optional(),
    client_info: z.record(z.string().max(64), z.union([z.string().max(512), z.number(), z.boolean()])).optional(),
    ...Clocked,
  })
  .refine((body) => (body.track_id === undefined) !== (body.track_path === undefined), {
    message: 'name the track by track_id or by track_path',
    path: ['track_id'],
  });
/** `seq` rises within a session; a repeated or older one is acknowledged and changes nothing. */
const Seq = z.int().min(0).max(1_000_000_000);
export const ReportProgress = z.strictObject({
  session_id: Id,
  seq: Seq,
  position_ms: PositionMs,
  state: z.enum(['playing', 'paused']),
  rate: z.number().min(0.25).max(4).default(1),
  ...Clocked,
});
export const CompleteListen = z.strictObject({ session_id: Id, seq: Seq, position_ms: PositionMs, ...Clocked });

export const ListenSession = z.object({ session_id: Id });
/** What the server has taken from the reports so far. */
export const ListenProgress = z.object({
  session_id: Id,
  seq: z.int(),
  duration_played: z.number(),
  completed: z.boolean(),
  counted: z.boolean(),
});
export const HistoryItem = z.object({
  id: Id,
  session_id: Id,
  /** Null, like `track`, for music that is not in the library; `text` is always there. */
  track_id: Id.nullable(),
  track: Track.nullable(),
  text: HeardText,
  started_at: EpochSeconds,
  ended_at: EpochSeconds.nullable(),
  duration_played: z.number(),
  completed: z.boolean(),
  counted: z.boolean(),
  /** Left for something else before it counted. */
  skipped: z.boolean(),
  /** Heard in a private session: nobody else sees it. */
  is_hidden: z.boolean(),
  source: z.string(),
});
export type HistoryItem = z.infer<typeof HistoryItem>;
/** Which plays: those that counted, unless `include` asks for more. `from` and `to`: epoch seconds, from included, to not. */
export const HistoryQuery = PageQuery.extend({
  include: z.enum(['listens', 'skips', 'all']).default('listens'),
  q: z.string().trim().min(1).max(100).optional(),
  from: z.coerce.number().pipe(EpochSeconds).optional(),
  to: z.coerce.number().pipe(EpochSeconds).optional(),
  track_id: Id.optional(),
  artist_id: Id.optional(),
  album_id: Id.optional(),
  source: z.string().trim().min(1).max(64).optional(),
  in_library: QueryFlag.optional(),
});

/** What decides whether a session counts. */
export const CountReason = z.enum([
  'heard_enough',
  'heard_too_little',
  'too_short_a_track',
  'length_unknown',
  'as_reported',
]);
export type CountReason = z.infer<typeof CountReason>;

export const startListen = defineEndpoint({
  name: 'listen.start',
  method: 'POST',
  path: '/listen/start',
  access: 'guest',
  scope: 'listen:write',
  summary: 'A track begins to play; the same client_session_id twice is one session',
  body: StartListen,
  reply: ListenSession,
});
export const reportProgress = defineEndpoint({
  name: 'listen.progress',
  method: 'POST',
  path: '/listen/progress',
  access: 'guest',
  scope: 'listen:write',
  summary: 'Where the player is now; answered once it is on disk',
  body: ReportProgress,
  reply: ListenProgress,
});
export const completeListen = defineEndpoint({
  name: 'listen.complete',
  method: 'POST',
  path: '/listen/complete',
  access: 'guest',
  scope: 'listen:write',
  summary: 'The player has left the track',
  body: CompleteListen,
  reply: ListenProgress,
});
export const listHistory = defineEndpoint({
  name: 'listen.history',
  method: 'GET',
  path: '/listen/history',
  access: 'guest',
  summary: 'My listens, newest first: sessions that counted, or those asked for',
  query: HistoryQuery,
  reply: page(HistoryItem),
});
export const getListenSession = defineEndpoint({
  name: 'listen.session',
  method: 'GET',
  path: '/listen/sessions/{session_id}',
  access: 'guest',
  summary: 'What was really heard in one of my sessions, and why it counted or not',
  params: z.strictObject({ session_id: Id }),
  reply: z.object({
    session_id: Id,
    track_id: Id.nullable(),
    track: Track.nullable(),
    text: HeardText,
    started_at: EpochSeconds,
    /** Heard parts of the track, in milliseconds from its start, merged and in order. */
    spans: z.array(z.object({ from_ms: z.number(), to_ms: z.number() })),
    duration_played: z.number(),
    completed: z.boolean(),
    counted: z.boolean(),
    skipped: z.boolean(),
    why: z.string(),
    /** The same for programs: which rule decided, and its two sides in milliseconds of the track. */
    reason: CountReason,
    covered_ms: z.number(),
    needed_ms: z.number().nullable(),
    /** When it was really on, by the server's clock, merged and in order. */
    heard_at: z.array(z.object({ from_ms: EpochMs, to_ms: EpochMs })),
  }),
});

export const listenStartEvent = defineRequest({
  name: 'listen:start',
  access: 'guest',
  scope: 'listen:write',
  payload: StartListen,
  reply: ListenSession,
});
export const listenProgressEvent = defineRequest({
  name: 'listen:progress',
  access: 'guest',
  scope: 'listen:write',
  payload: ReportProgress,
  reply: ListenProgress,
});
export const listenCompleteEvent = defineRequest({
  name: 'listen:complete',
  access: 'guest',
  scope: 'listen:write',
  payload: CompleteListen,
  reply: ListenProgress,
});

/** Events a batch may hold, and how large it may be as JSON: less than one message of the gateway. */
export const BATCH_EVENTS_MAX = 100;
export const BATCH_BYTES_MAX = 48 * 1024;
export const ListenBatch = z.strictObject({
  sent_at_ms: EpochMs,
  /** Each is parsed for itself, so that one that is wrong refuses no other. */
  events: z.array(z.looseObject({ event: z.string() })).max(BATCH_EVENTS_MAX),
});
/** What each event of a batch may be, by its name; `sent_at_ms` is the batch's. */
export const BATCH_EVENTS = {
  'listen:start': StartListen,
  'listen:progress': ReportProgress,
  'listen:complete': CompleteListen,
} as const;
export const listenBatchEvent = defineRequest({
  name: 'listen:batch',
  access: 'guest',
  scope: 'listen:write',
  payload: ListenBatch,
  reply: z.object({
    results: z.array(
      z.discriminatedUnion('ok', [
        z.object({ ok: z.literal(true), data: z.union([ListenProgress, ListenSession]) }),
        z.object({ ok: z.literal(false), problem: z.custom<Problem>() }),
      ]),
    ),
  }),
});

/** What a listener who lets me see it is hearing: the latest value, at most one a second a person. */
export const ListeningUpdate = z.object({
  user_id: Id,
  username: z.string(),
  track: Track.nullable(),
  /** What it is where the library has no track of it: another program told us. */
  text: HeardText.optional(),
  position_ms: z.number(),
  /** Server time of `position_ms`. */
  at_ms: EpochMs,
  state: PlaybackState,
});
export type ListeningUpdate = z.infer<typeof ListeningUpdate>;
export const listeningUpdate = defineNotice({ name: 'listening:update', payload: ListeningUpdate, volatile: true });
