/** Statistics counted plainly from the rows, listen by listen, sharing no code with what keeps the sums. */
import type { Ctx } from '#domain/context.ts';

const DAY = 86_400_000;
const HOUR = 3_600_000;
type Session = Awaited<ReturnType<typeof loadWorld>>['sessions'][number];

export interface Amount {
  listens: number;
  seconds: number;
}

async function loadWorld(db: Ctx['db'], user_id: string) {
  return {
    sessions: await db.selectFrom('listening_sessions').selectAll().where('user_id', '=', user_id).execute(),
    tracks: new Map((await db.selectFrom('tracks').selectAll().execute()).map((row) => [row.id, row])),
    artists: new Map((await db.selectFrom('artists').selectAll().execute()).map((row) => [row.id, row])),
    albums: new Map((await db.selectFrom('albums').selectAll().execute()).map((row) => [row.id, row])),
    genres: await db.selectFrom('track_genres').selectAll().execute(),
    recordings: new Map((await db.selectFrom('recordings').selectAll().execute()).map((row) => [row.id, row])),
  };
}

const lower = (text: string) => text.toLowerCase().replace(/\s+/g, ' ');
const iso = (day: number) => new Date(day * DAY).toISOString().slice(0, 10);
const num = (date: string) => new Date(`${date}T00:00:00Z`).getTime() / DAY;

/** How a session's music is called, for each list. */
function namesOf(world: Awaited<ReturnType<typeof loadWorld>>, session: Session) {
  if (session.track_id !== null) {
    const track = world.tracks.get(session.track_id)!;
    const artist = track.artist_id === null ? null : world.artists.get(track.artist_id)!.name;
    const album = track.album_id === null ? null : world.albums.get(track.album_id)!;
    return {
      track: track.id,
      artist: artist === null ? null : lower(artist),
      album: album === null ? null : lower(`${album.album_artist ?? ''} / ${album.title}`),
      genres: world.genres.filter((row) => row.track_id === track.id).map((row) => lower(row.name)),
    };
  }
  const recording = world.recordings.get(session.recording_id!)!;
  return {
    track: `${recording.title} by ${lower(recording.artist)}`,
    artist: lower(recording.artist),
    album: recording.album === null ? null : lower(`${recording.artist} / ${recording.album}`),
    genres: [] as string[],
  };
}

/** Milliseconds by local day and hour, each moment once within a day. */
function clockTime(sessions: readonly Session[]): Map<number, number[]> {
  const pieces: { day: number; hour: number; from: number; to: number; rank: number }[] = [];
  const ranked = [...sessions].sort(
    (a, b) => a.is_hidden - b.is_hidden || a.started_at - b.started_at || (a.id < b.id ? -1 : 1),
  );
  for (const [rank, session] of ranked.entries()) {
    const shift = session.utc_offset_s * 1000;
    for (const [from, to] of JSON.parse(session.wall_json) as [number, number][]) {
      for (let at = Math.round(from); at < Math.round(to);) {
        const local = at + shift;
        const end = Math.min(Math.round(to), at + HOUR - (((local % HOUR) + HOUR) % HOUR));
        pieces.push({
          day: Math.floor(local / DAY),
          hour: Math.floor((((local % DAY) + DAY) % DAY) / HOUR),
          from: at,
          to: end,
          rank,
        });
        at = end;
      }
    }
  }
  const days = new Map<number, number[]>();
  for (const [day, ofDay] of Map.groupBy(pieces, (piece) => piece.day)) {
    const hours = Array.from({ length: 24 }, () => 0);
    const edges = [...new Set(ofDay.flatMap(({ from, to }) => [from, to]))].sort((a, b) => a - b);
    for (let i = 0; i + 1 < edges.length; i++) {
      const [from, to] = [edges[i]!, edges[i + 1]!];
      const on = ofDay.filter((piece) => piece.from <= from && piece.to >= to).sort((a, b) => a.rank - b.rank)[0];
      if (on !== undefined) hours[on.hour]! += to - from;
    }
    days.set(day, hours);
  }
  return days;
}

function tally(names: readonly (readonly [string, Session])[]): Map<string, Amount> {
  const sums = new Map<string, { listens: number; ms: number }>();
  for (const [name, session] of names) {
    const sum = sums.get(name) ?? { listens: 0, ms: 0 };
    sum.listens += session.counted;
    sum.ms += Math.round(session.duration_played * 1000);
    sums.set(name, sum);
  }
  return new Map(
    [...sums]
      .filter(([, { listens }]) => listens > 0)
      .map(([name, { listens, ms }]) => [name, { listens, seconds: ms / 1000 }]),
  );
}

/** A recount of one person's listening; with `isSelf` also of what was heard in private. */
export async function recount(db: Ctx['db'], user_id: string, isSelf: boolean) {
  const world = await loadWorld(db, user_id);
  const sessions = world.sessions.filter((session) => isSelf || session.is_hidden === 0);
  const time = clockTime(sessions);
  const listened = sessions.filter((session) => session.counted === 1);

  function within(from: string, to: string) {
    const [a, b] = [num(from), num(to)];
    const mine = sessions.filter(({ local_day }) => local_day >= a && local_day <= b);
    const hours = [...time].filter(([day]) => day >= a && day <= b);
    const named = mine.map((session) => [namesOf(world, session), session] as const);
    const only = (kind: 'artist' | 'album') =>
      tally(named.flatMap(([names, session]) => (names[kind] === null ? [] : [[names[kind], session] as const])));
    const lists = {
      tracks: tally(named.map(([names, session]) => [names.track, session] as const)),
      artists: only('artist'),
      albums: only('album'),
      genres: tally(named.flatMap(([names, session]) => names.genres.map((genre) => [genre, session] as const))),
    };
    const clock = Array.from({ length: 7 }, () => Array.from({ length: 24 }, () => 0));
    for (const [day, ofDay] of hours) {
      const weekday = (new Date(day * DAY).getUTCDay() + 6) % 7;
      for (const [hour, ms] of ofDay.entries()) clock[weekday]![hour]! += ms;
    }
    const startHours = Array.from({ length: 24 }, () => 0);
    for (const session of mine) {
      const local = new Date((session.started_at + session.utc_offset_s) * 1000);
      startHours[local.getUTCHours()]! += session.counted;
    }
    const ms = hours.reduce((sum, [, ofDay]) => sum + ofDay.reduce((a2, b2) => a2 + b2, 0), 0);
    return {
      lists,
      totals: {
        listens: mine.filter((session) => session.counted === 1).length,
        seconds: ms / 1000,
        plays: mine.length,
        skips: mine.filter((session) => session.skipped === 1).length,
        tracks: lists.tracks.size,
        artists: lists.artists.size,
        albums: lists.albums.size,
        genres: lists.genres.size,
      },
      clock: clock.map((row) => row.map((one) => one / 1000)),
      startHours,
      hourSeconds: Array.from({ length: 24 }, (_, hour) => hours.reduce((sum, [, of]) => sum + of[hour]!, 0) / 1000),
    };
  }

  const days = [...new Set(listened.map(({ local_day }) => local_day))].sort((a, b) => a - b);
  const runs: number[][] = [];
  for (const day of days) {
    const run = runs.at(-1);
    if (run !== undefined && run.at(-1) === day - 1) run.push(day);
    else runs.push([day]);
  }
  const longestOf = (all: readonly number[][]) =>
    all.reduce<number[]>((best, run) => (run.length > best.length ? run : best), []);

  return {
    within,
    /** The first and the last day with anything. */
    extent: [...sessions.map(({ local_day }) => local_day), ...time.keys()].sort((a, b) => a - b),
    streaks(today: string) {
      const last = runs.at(-1);
      const longest = longestOf(runs);
      return {
        current: last !== undefined && last.at(-1)! >= num(today) - 1 ? last.length : 0,
        longest: longest.length,
        longest_from: longest.length === 0 ? null : iso(longest[0]!),
        longest_to: longest.length === 0 ? null : iso(longest.at(-1)!),
      };
    },
    longestWithin(from: string, to: string) {
      const longest = longestOf(
        runs.map((run) => run.filter((day) => day >= num(from) && day <= num(to))).filter((run) => run.length > 0),
      );
      return longest.length === 0 ? null : { days: longest.length, from: iso(longest[0]!), to: iso(longest.at(-1)!) };
    },
    /** What was listened to within a range, and never before it. */
    discoveries(from: string, to: string) {
      const firstOf = (pick: (names: ReturnType<typeof namesOf>) => string | null) => {
        const firsts = new Map<string, number>();
        for (const session of listened) {
          const name = pick(namesOf(world, session));
          if (name !== null) firsts.set(name, Math.min(firsts.get(name) ?? Infinity, session.local_day));
        }
        return new Set([...firsts].filter(([, day]) => day >= num(from) && day <= num(to)).map(([name]) => name));
      };
      return {
        tracks: firstOf((names) => names.track),
        artists: firstOf((names) => names.artist),
        albums: firstOf((names) => names.album),
      };
    },
    /** The most listens to one track within one day. */
    onRepeat(from: string, to: string) {
      const counts = new Map<string, number>();
      for (const session of listened) {
        if (session.local_day < num(from) || session.local_day > num(to)) continue;
        const key = `${session.local_day} ${namesOf(world, session).track}`;
        counts.set(key, (counts.get(key) ?? 0) + 1);
      }
      return Math.max(0, ...counts.values());
    },
    busiestDay(from: string, to: string) {
      const sums = [...time].map(([day, hours]) => [day, hours.reduce((a, b) => a + b, 0)] as const);
      return Math.max(0, ...sums.filter(([day]) => day >= num(from) && day <= num(to)).map(([, ms]) => ms / 1000));
    },
    firstListen(from: string, to: string) {
      const found = listened.filter(({ local_day }) => local_day >= num(from) && local_day <= num(to));
      return found.length === 0 ? null : Math.min(...found.map(({ started_at }) => started_at));
    },
    years: [...new Set(days.map((day) => Number(iso(day).slice(0, 4))))],
  };
}
