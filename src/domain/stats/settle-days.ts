import { setImmediate } from 'node:timers/promises';
import { reckonZone } from '../listens/reckon-zone.ts';
import { toStorageError } from '../unit-of-work.ts';
import { DomainError } from '../errors.ts';
import { bucketOf } from './calendar.rules.ts';
import { daysTouched, isNothing, packThings, sumDay, thingId, unpackThings } from './day-sums.rules.ts';
import { sessionsOfDays } from './heard-sessions.ts';
import { GRAIN } from './stats.table.ts';
import { addRollupsStatements, filledUp, statsStatements } from './stats.repository.ts';
import type { UnitStatement } from '#db/unit.ts';
import type { Ctx } from '../context.ts';
import type { DaySums, ThingSum } from './day-sums.rules.ts';
import type { DaySession, Things } from './heard-sessions.ts';
import type { ListenDaysTable, ListenRollupsTable } from './stats.table.ts';

/** Others settling the same person's days at once, in other processes, more often than this is no accident. */
const TRIES = 20;
/** What is settled in one unit: neither a write nor the event loop waits long for it. */
const SESSIONS_AT_ONCE = 3000;
const DAYS_AT_ONCE = 31;
const GRAINS = [GRAIN.month, GRAIN.year, GRAIN.all] as const;

interface StaleDay {
  local_day: number;
  marks: number;
}
type DayRow = ListenDaysTable;
type Half = 'open' | 'hidden';
const HALVES = ['open', 'hidden'] as const;
const hiddenOf = (half: Half): 0 | 1 => (half === 'hidden' ? 1 : 0);

export interface SettleProgress {
  /** Days settled, and to be settled. */
  done: number;
  total: number;
}
type OnProgress = (progress: SettleProgress) => void;

/** One person's settling under way, and the one that begins after it for whoever came meanwhile. */
interface Line {
  running: Promise<void>;
  next: Promise<void> | null;
}
const lines = new WeakMap<Ctx['db'], Map<string, Line>>();

/**
 * [ST2] Brings a person's sums in step with their sessions: what was acknowledged before this is called is in them when it
 * resolves. Days with a session under way stay stale. Whoever asks while it runs waits for the next run, which all of them share.
 * @throws DomainError unavailable, disk_full; what was settled until then stays so
 */
export function settleDays(ctx: Ctx, user_id: string, onProgress: OnProgress = () => {}): Promise<void> {
  const ofDb = lines.get(ctx.db) ?? new Map<string, Line>();
  lines.set(ctx.db, ofDb);
  const begin = (): Promise<void> => {
    const running = settleAll(ctx, user_id, onProgress).finally(() => {
      const line = ofDb.get(user_id);
      if (line?.running === running && line.next === null) ofDb.delete(user_id);
    });
    ofDb.set(user_id, { running, next: null });
    return running;
  };
  const line = ofDb.get(user_id);
  if (line === undefined) return begin();
  // How the run before it ended is for its own callers to know.
  line.next ??= line.running.then(begin, begin);
  return line.next;
}

async function settleAll(ctx: Ctx, user_id: string, onProgress: OnProgress): Promise<void> {
  try {
    await reckonZone(ctx, user_id);
    // The latest first: where a whole history goes, no first listen is looked for more than once.
    const stale = await ctx.db
      .selectFrom('stale_days')
      .select(['local_day', 'marks'])
      .where('user_id', '=', user_id)
      .orderBy('local_day', 'desc')
      .execute();
    const things: Things = new Map();
    for (let i = 0; i < stale.length;) {
      const days = await fewEnough(ctx, user_id, stale.slice(i, i + DAYS_AT_ONCE));
      await settleSome(ctx, user_id, days, things);
      i += days.length;
      onProgress({ done: i, total: stale.length });
      if (i < stale.length) await setImmediate();
    }
  } catch (error) {
    throw toStorageError(ctx, error);
  }
}

/** As many of the first of these days as make one unit. */
async function fewEnough(ctx: Ctx, user_id: string, days: readonly StaleDay[]): Promise<readonly StaleDay[]> {
  if (days.length <= 1) return days;
  const rows = await ctx.db
    .selectFrom('listening_sessions')
    .select((eb) => ['local_day', eb.fn.countAll<number>().as('count')])
    .where('user_id', '=', user_id)
    .where('local_day', 'in', filledUp(days.map(({ local_day }) => local_day)))
    .groupBy('local_day')
    .execute();
  const counts = new Map(rows.map((row) => [row.local_day, Number(row.count)]));
  let sum = 0;
  const end = days.findIndex(({ local_day }) => (sum += counts.get(local_day) ?? 0) > SESSIONS_AT_ONCE);
  return end === -1 ? days : days.slice(0, Math.max(1, end));
}

async function settleSome(ctx: Ctx, user_id: string, days: readonly StaleDay[], things: Things): Promise<void> {
  for (let tries = 1; ; tries++) {
    const statements = await reckon(ctx, user_id, days, things);
    if (statements.length === 0 || (await ctx.writeUnit(statements))) return;
    if (tries >= TRIES) {
      throw new DomainError('unavailable', 'These statistics are being made in too many places at once. Try again.', {
        retryAfter: 1,
      });
    }
  }
}

/** What is known of one day, before and after. */
interface DayChange {
  day: number;
  before: Record<Half, DayRow | undefined>;
  was: Record<Half, Map<string, ThingSum>>;
  now: Record<Half, DaySums>;
  reaches: number[];
  reached_from: number[];
}

/** The unit that settles these days as they are now; none where all is as it was. Refused if others were quicker. */
async function reckon(ctx: Ctx, user_id: string, stale: readonly StaleDay[], things: Things): Promise<UnitStatement[]> {
  const statements = statsStatements(ctx.db);
  // First of all: what is read after it is what the change builds on.
  const sums = await ctx.db
    .selectFrom('listen_sums')
    .select('version')
    .where('user_id', '=', user_id)
    .executeTakeFirst();
  const settled = new Set(stale.map(({ local_day }) => local_day));
  const sessions = new Map<number, DaySession[]>();
  const rows = new Map<number, Record<Half, DayRow | undefined>>();
  const load = async (days: Iterable<number>) => {
    const missing = [...new Set(days)].filter((day) => !rows.has(day));
    await loadDays(ctx, user_id, missing, rows);
  };
  const loadSessions = async (days: Iterable<number>) => {
    const missing = [...new Set(days)].filter((day) => !sessions.has(day));
    for (const day of missing) sessions.set(day, []);
    for (const session of await sessionsOfDays(ctx, user_id, missing, things)) {
      sessions.get(session.local_day)?.push(session);
    }
  };

  await load(settled);
  await loadSessions(settled);
  const reachesOf = (day: number): number[] => {
    if (!settled.has(day)) return numbersOf(rows.get(day)?.open?.reaches_json);
    const touched = new Set((sessions.get(day) ?? []).flatMap((session) => [...daysTouched(session)]));
    touched.delete(day);
    return [...touched].sort((a, b) => a - b);
  };
  // Days that sessions of the settled ones are on in, or were.
  const affected = new Set(settled);
  for (const day of settled) {
    for (const reached of reachesOf(day)) affected.add(reached);
    for (const reached of numbersOf(rows.get(day)?.open?.reaches_json)) affected.add(reached);
  }
  await load(affected);
  const reachedFrom = (day: number): number[] => {
    const others = numbersOf(rows.get(day)?.open?.reached_from_json).filter((from) => !settled.has(from));
    const ours = [...settled].filter((from) => from !== day && reachesOf(from).includes(day));
    return [...others, ...ours].sort((a, b) => a - b);
  };
  const sources = new Map([...affected].map((day) => [day, [day, ...reachedFrom(day)]]));
  await loadSessions([...sources.values()].flat());

  const changes = [...affected].map((day): DayChange => {
    const before = rows.get(day) ?? { open: undefined, hidden: undefined };
    return {
      day,
      before,
      was: { open: thingsOf(before.open), hidden: thingsOf(before.hidden) },
      now: sumDay(
        day,
        (sources.get(day) ?? []).flatMap((source) => sessions.get(source) ?? []),
      ),
      reaches: reachesOf(day),
      reached_from: reachedFrom(day),
    };
  });
  const changed = [
    ...changes.flatMap((change) => dayStatements(ctx, user_id, change)),
    ...(await rollupStatements(ctx, user_id, changes)),
  ];
  const over = stale
    .filter(({ local_day }) => !(sessions.get(local_day) ?? []).some((session) => session.isUnderWay))
    .map((day) => statements.settle({ user_id, ...day }));
  if (changed.length === 0) return over;
  const next = { user_id, version: ctx.ids.id(), settled_at_ms: ctx.clock.nowMs() };
  return [
    sums === undefined ? statements.begin(next) : statements.goOn({ ...next, builds_on: sums.version }),
    ...changed,
    ...over,
  ];
}

async function loadDays(
  ctx: Ctx,
  user_id: string,
  days: readonly number[],
  into: Map<number, Record<Half, DayRow | undefined>>,
): Promise<void> {
  if (days.length === 0) return;
  for (const day of days) into.set(day, { open: undefined, hidden: undefined });
  const rows = await ctx.db
    .selectFrom('listen_days')
    .selectAll()
    .where('user_id', '=', user_id)
    .where('local_day', 'in', filledUp(days))
    .execute();
  for (const row of rows) {
    const both = into.get(row.local_day);
    if (both !== undefined) both[row.is_hidden === 1 ? 'hidden' : 'open'] = row;
  }
}

function numbersOf(json: string | undefined): number[] {
  return json === undefined ? [] : (JSON.parse(json) as number[]);
}

function thingsOf(row: DayRow | undefined): Map<string, ThingSum> {
  return new Map(row === undefined ? [] : unpackThings(row.things_json).map((thing) => [thingId(thing), thing]));
}

function dayStatements(ctx: Ctx, user_id: string, change: DayChange): UnitStatement[] {
  const { putDay, dropDay } = statsStatements(ctx.db);
  return HALVES.flatMap((half) => {
    const before = change.before[half];
    const sums = change.now[half];
    const isOpen = half === 'open';
    const place = { user_id, local_day: change.day, is_hidden: hiddenOf(half) };
    const [reaches, reached_from] = isOpen ? [change.reaches, change.reached_from] : [[], []];
    if (isNothing(sums) && reaches.length + reached_from.length === 0) {
      return before === undefined ? [] : [dropDay(place)];
    }
    const row: DayRow = {
      ...place,
      listens: sums.listens,
      heard_ms: sums.heard_ms,
      plays: sums.plays,
      skips: sums.skips,
      hours_json: JSON.stringify([...sums.hours.heard_ms, ...sums.hours.listens]),
      most_json: sums.most === null ? null : JSON.stringify(sums.most),
      reaches_json: JSON.stringify(reaches),
      reached_from_json: JSON.stringify(reached_from),
      things_json: packThings(sums.things),
    };
    const isSame = before !== undefined && (Object.keys(row) as (keyof DayRow)[]).every((k) => row[k] === before[k]);
    return isSame ? [] : [putDay(row)];
  });
}

type Difference = Omit<ListenRollupsTable, 'user_id' | 'grain' | 'bucket' | 'first_day'> & { day: number };

function differencesOf({ day, was, now }: DayChange): Difference[] {
  const differences: Difference[] = [];
  for (const half of HALVES) {
    const [before, after] = [was[half], now[half].things];
    for (const id of new Set([...before.keys(), ...after.keys()])) {
      const [a, b] = [before.get(id), after.get(id)];
      const thing = b ?? a;
      if (thing === undefined) continue;
      const by = (name: 'listens' | 'heard_ms' | 'plays' | 'skips') => (b?.[name] ?? 0) - (a?.[name] ?? 0);
      const difference: Difference = {
        kind: thing.kind,
        key: thing.key,
        is_hidden: hiddenOf(half),
        listens: by('listens'),
        heard_ms: by('heard_ms'),
        plays: by('plays'),
        skips: by('skips'),
        day,
      };
      const { listens, heard_ms, plays, skips } = difference;
      if (listens !== 0 || heard_ms !== 0 || plays !== 0 || skips !== 0) differences.push(difference);
    }
  }
  return differences;
}

/** A thing of one half, as text. */
const placeOf = ({ kind, key, is_hidden }: Pick<ListenRollupsTable, 'kind' | 'key' | 'is_hidden'>) =>
  `${is_hidden}${kind}${key}`;

async function rollupStatements(ctx: Ctx, user_id: string, changes: readonly DayChange[]): Promise<UnitStatement[]> {
  const differences = changes.flatMap(differencesOf);
  if (differences.length === 0) return [];
  const { setFirstDay, dropRollups } = statsStatements(ctx.db);
  const added = new Map<string, ListenRollupsTable>();
  for (const { day, ...difference } of differences) {
    for (const grain of GRAINS) {
      const bucket = bucketOf(grain, day);
      const id = `${grain} ${bucket} ${placeOf(difference)}`;
      const sum = added.get(id) ?? {
        user_id,
        ...difference,
        grain,
        bucket,
        listens: 0,
        heard_ms: 0,
        plays: 0,
        skips: 0,
        first_day: null,
      };
      sum.listens += difference.listens;
      sum.heard_ms += difference.heard_ms;
      sum.plays += difference.plays;
      sum.skips += difference.skips;
      added.set(id, sum);
    }
  }
  for (const { day, now } of changes) {
    for (const half of HALVES) {
      for (const { kind, key, listens } of now[half].things.values()) {
        const all = added.get(`${GRAIN.all} 0 ${placeOf({ kind, key, is_hidden: hiddenOf(half) })}`);
        if (all === undefined || listens === 0) continue;
        if (all.first_day === null || day < all.first_day) all.first_day = day;
      }
    }
  }
  // One order for everybody, so that two of them never wait for each other's rows.
  const rows = [...added.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
  const fallen = new Map(differences.filter(({ plays }) => plays < 0).map((one) => [placeOf(one), one]));
  const firsts = await lostFirsts(ctx, user_id, changes);
  return [
    ...addRollupsStatements(ctx.db, rows),
    ...firsts.map((first) => setFirstDay({ user_id, ...first })),
    ...[...fallen.values()].map(({ kind, key, is_hidden }) => dropRollups({ user_id, kind, key, is_hidden })),
  ];
}

type First = Pick<ListenRollupsTable, 'kind' | 'key' | 'is_hidden' | 'first_day'>;

/** The first days anew of what was heard first on a day that has no listen of it any more. */
async function lostFirsts(ctx: Ctx, user_id: string, changes: readonly DayChange[]): Promise<First[]> {
  const lost = new Map<string, First & { half: Half; days: Set<number> }>();
  for (const { day, was, now } of changes) {
    for (const half of HALVES) {
      for (const [id, { kind, key, listens }] of was[half]) {
        if (listens === 0 || (now[half].things.get(id)?.listens ?? 0) > 0) continue;
        const place = { kind, key, is_hidden: hiddenOf(half) };
        const known = lost.get(placeOf(place)) ?? { ...place, first_day: null, half, days: new Set() };
        known.days.add(day);
        lost.set(placeOf(place), known);
      }
    }
  }
  if (lost.size === 0) return [];
  const rollups = await rollupsOf(ctx, user_id, [...lost.values()]);
  const pending = new Map(changes.map((change) => [change.day, change]));
  const months = new Map<number, Map<number, Record<Half, Map<string, ThingSum>>>>();
  const firsts: First[] = [];
  for (const [place, { half, days, ...thing }] of lost) {
    const stored = rollups.get(place) ?? [];
    const first = stored.find(({ grain }) => grain === GRAIN.all)?.first_day ?? null;
    if (first === null || !days.has(first)) continue;
    const id = thingId(thing);
    const candidates = new Set([
      ...stored.filter((row) => row.grain === GRAIN.month && row.listens > 0).map((row) => row.bucket),
      ...changes
        .filter(({ now }) => (now[half].things.get(id)?.listens ?? 0) > 0)
        .map(({ day }) => bucketOf(GRAIN.month, day)),
    ]);
    let found: number | null = null;
    for (const month of [...candidates].sort((a, b) => a - b)) {
      const heard = months.get(month) ?? (await thingsOfMonth(ctx, user_id, month));
      months.set(month, heard);
      const inMonth = new Set(
        [...heard.keys(), ...pending.keys()].filter((day) => bucketOf(GRAIN.month, day) === month),
      );
      found =
        [...inMonth]
          .sort((a, b) => a - b)
          .find((day) => {
            const now = pending.get(day)?.now[half].things ?? heard.get(day)?.[half];
            return (now?.get(id)?.listens ?? 0) > 0;
          }) ?? null;
      if (found !== null) break;
    }
    firsts.push({ ...thing, first_day: found });
  }
  return firsts;
}

/** The sums there are of these things, by `placeOf`. */
async function rollupsOf(
  ctx: Ctx,
  user_id: string,
  things: readonly Pick<ListenRollupsTable, 'kind' | 'key' | 'is_hidden'>[],
): Promise<Map<string, ListenRollupsTable[]>> {
  const found = new Map<string, ListenRollupsTable[]>();
  for (const group of Map.groupBy(things, ({ kind, is_hidden }) => `${kind} ${is_hidden}`).values()) {
    const [one] = group;
    if (one === undefined) continue;
    for (let i = 0; i < group.length; i += 512) {
      const rows = await ctx.db
        .selectFrom('listen_rollups')
        .selectAll()
        .where('user_id', '=', user_id)
        .where('kind', '=', one.kind)
        .where('is_hidden', '=', one.is_hidden)
        .where('grain', 'in', [GRAIN.month, GRAIN.all])
        .where('key', 'in', filledUp(group.slice(i, i + 512).map(({ key }) => key)))
        .execute();
      for (const row of rows) found.set(placeOf(row), [...(found.get(placeOf(row)) ?? []), row]);
    }
  }
  return found;
}

async function thingsOfMonth(
  ctx: Ctx,
  user_id: string,
  month: number,
): Promise<Map<number, Record<Half, Map<string, ThingSum>>>> {
  const rows = await ctx.db
    .selectFrom('listen_days')
    .selectAll()
    .where('user_id', '=', user_id)
    .where('local_day', '>=', month)
    .where('local_day', '<', month + 31)
    .execute();
  const days = new Map<number, Record<Half, Map<string, ThingSum>>>();
  for (const row of rows) {
    const both = days.get(row.local_day) ?? { open: new Map(), hidden: new Map() };
    both[row.is_hidden === 1 ? 'hidden' : 'open'] = thingsOf(row);
    days.set(row.local_day, both);
  }
  return days;
}
