import { z } from 'zod';
import { defineEndpoint } from './endpoint.ts';
import { Track } from './library.ts';
import { EpochMs, EpochSeconds, Id } from './primitives.ts';

/** A day by the listener's own calendar, `YYYY-MM-DD`. */
export const LocalDate = z.iso.date();
export const StatsPeriod = z.enum(['day', 'week', 'month', 'year', 'all', 'custom']);
export type StatsPeriod = z.infer<typeof StatsPeriod>;

/** A day somebody may ask for: nothing was recorded, and so nothing played, before 1860. */
const AskedDate = LocalDate.refine((date) => date >= '1860-01-01', 'must not be before 1860-01-01');

/**
 * `period`: `week` unless said, or `custom` where `from` and `to` (both included) are given. `date`: any day of the period, today
 * by the person's own calendar unless said.
 */
export const StatsQuery = z
  .strictObject({
    period: StatsPeriod.optional(),
    date: AskedDate.optional(),
    from: AskedDate.optional(),
    to: AskedDate.optional(),
    limit: z.coerce.number().int().min(1).max(100).default(10),
  })
  .refine(({ from, to }) => (from === undefined) === (to === undefined), {
    message: 'from and to come together',
    path: ['to'],
  })
  .refine(({ from, to }) => from === undefined || to === undefined || from <= to, {
    message: 'must not be before from',
    path: ['to'],
  })
  .refine(({ period, from }) => period !== 'custom' || from !== undefined, {
    message: 'a custom period needs from and to',
    path: ['from'],
  })
  .refine(({ period, from }) => from === undefined || period === undefined || period === 'custom', {
    message: 'from and to make a custom period',
    path: ['period'],
  })
  .refine(({ date, from }) => date === undefined || from === undefined, {
    message: 'a custom period has no date',
    path: ['date'],
  });

const Amount = {
  /** Plays that counted. */
  listens: z.int(),
  /** Seconds of listening, by the clock on the wall. */
  seconds: z.number(),
};
export const StatsTotals = z.object({
  ...Amount,
  /** Plays, counted or not. */
  plays: z.int(),
  skips: z.int(),
  /** Different ones among the listens. */
  tracks: z.int(),
  artists: z.int(),
  albums: z.int(),
  genres: z.int(),
});
export type StatsTotals = z.infer<typeof StatsTotals>;
const Range = { from: LocalDate, to: LocalDate };
/** What was heard where the library has no track of it. */
export const HeardText = z.object({
  title: z.string(),
  artist: z.string().nullable(),
  album: z.string().nullable(),
  duration: z.number().nullable(),
});
export type HeardText = z.infer<typeof HeardText>;
export const TopTrack = z.object({ track_id: Id.nullable(), track: Track.nullable(), text: HeardText, ...Amount });
export const TopArtist = z.object({ artist_id: Id.nullable(), name: z.string(), ...Amount });
export const TopAlbum = z.object({
  album_id: Id.nullable(),
  title: z.string(),
  artist: z.string().nullable(),
  ...Amount,
});
export const TopGenre = z.object({ name: z.string(), ...Amount });

/** Numbers over one person's listening, by that person's own calendar. */
export const Stats = z.object({
  period: StatsPeriod,
  ...Range,
  /** The zone the calendar follows now, null for somebody else's; a listen keeps the one it was heard in. */
  time_zone: z.string().nullable(),
  totals: StatsTotals,
  /** The period before: the day, week, month or year before, or as many days before a custom one; null for all time. */
  previous: z.object({ ...Range, totals: StatsTotals }).nullable(),
  top_tracks: z.array(TopTrack),
  top_artists: z.array(TopArtist),
  top_albums: z.array(TopAlbum),
  top_genres: z.array(TopGenre),
  series_by: z.enum(['hour', 'day', 'week', 'month', 'year']),
  /** Every step of the period, also those without a listen. `hour` is set when it goes by hours. */
  series: z.array(z.object({ ...Range, hour: z.int().nullable(), ...Amount })),
  /** Seconds by weekday (Monday first) and local hour: 7 rows of 24. */
  clock: z.array(z.array(z.number())),
  /** Days in a row with a listen, over all time; `current` counts if it reaches yesterday. */
  streaks: z.object({
    current: z.int(),
    longest: z.int(),
    longest_from: LocalDate.nullable(),
    longest_to: LocalDate.nullable(),
  }),
  /** Heard for the first time ever in this period. */
  discoveries: z.object({
    tracks: z.int(),
    artists: z.int(),
    albums: z.int(),
    /** The most heard of the new artists. */
    top_artists: z.array(TopArtist),
  }),
  /** All that was acknowledged until then is in here: now, unless the disk refuses. */
  as_of_ms: EpochMs,
});
export type Stats = z.infer<typeof Stats>;

export const YearInReview = z.object({
  year: z.int(),
  time_zone: z.string(),
  totals: StatsTotals,
  previous: StatsTotals,
  top_tracks: z.array(TopTrack),
  top_artists: z.array(TopArtist),
  top_albums: z.array(TopAlbum),
  top_genres: z.array(TopGenre),
  months: z.array(
    z.object({
      month: z.int().min(1).max(12),
      ...Amount,
      top_artist: TopArtist.nullable(),
      top_track: TopTrack.nullable(),
    }),
  ),
  busiest_day: z.object({ date: LocalDate, ...Amount }).nullable(),
  /** 0 to 23, by time listened. */
  busiest_hour: z.int().nullable(),
  longest_streak: z.object({ days: z.int(), ...Range }).nullable(),
  /** The track heard most often within one day. */
  on_repeat: z.object({ date: LocalDate, track: TopTrack }).nullable(),
  discoveries: z.object({ tracks: z.int(), artists: z.int(), albums: z.int(), top_artists: z.array(TopArtist) }),
  first_listen: z.object({ at: EpochSeconds, track: TopTrack }).nullable(),
  /** Years that have listens, for going through them. */
  years: z.array(z.int()),
  /** As in `Stats`. */
  as_of_ms: EpochMs,
});
export type YearInReview = z.infer<typeof YearInReview>;

export const getStats = defineEndpoint({
  name: 'listen.stats',
  method: 'GET',
  path: '/listen/stats',
  access: 'guest',
  summary: 'My listening in numbers: a day, week, month, year, all time, or from one day to another',
  query: StatsQuery,
  reply: Stats,
});
export const getYearInReview = defineEndpoint({
  name: 'listen.stats.year',
  method: 'GET',
  path: '/listen/stats/year/{year}',
  access: 'guest',
  summary: 'My year in review',
  params: z.strictObject({ year: z.coerce.number().int().min(1860).max(9998) }),
  reply: YearInReview,
});
export const getPersonStats = defineEndpoint({
  name: 'users.stats',
  method: 'GET',
  path: '/users/{username}/stats',
  access: 'user',
  summary: "Somebody's listening in numbers, as far as they share it; without what they heard in private",
  params: z.strictObject({ username: z.string().min(1).max(100) }),
  query: StatsQuery,
  reply: Stats,
});
