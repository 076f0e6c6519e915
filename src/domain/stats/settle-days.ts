import { setImmediate } from 'node:timers/promises';
import { reckonZone } from '../listens/reckon-zone.ts';
import { toStorageError } from '../unit-of-work.ts';
import { DomainError } from '../errors.ts';
import { bucketOf } from './calendar.rules.ts';
import { daysTouched, isNothing, packThings, sumDay, thingId, unpackThings } from './day-sums.rules.ts';
import { sessionsOfDays } from './heard-sessions.ts';
import { GRAIN } from './stats.table.ts';
import { LIST_MAX, addRollupsStatements, filledUp, statsStatements } from './stats.repository.ts';
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

type Sums = Pick<
  ListenRollupsTable,
  'listens' | 'heard_ms' | 'plays' | 'own_listens' | 'own_heard_ms' | 'private_plays'
>;
type Difference = Sums & Pick<ListenRollupsTable, 'kind' | 'key'> & { day: number };
const SUMS = ['listens', 'heard_ms', 'plays', 'own_listens', 'own_heard_ms', 'private_plays'] as const;

function differencesOf({ day, was, now }: DayChange): Difference[] {
  const differences: Difference[] = [];
  const sets = HALVES.flatMap((half) => [was[half], now[half].things]);
  for (const id of new Set(sets.flatMap((things) => [...things.keys()]))) {
    const thing = sets.find((things) => things.has(id))?.get(id);
    if (thing === undefined) continue;
    const by = (half: Half, name: 'listens' | 'heard_ms' | 'plays') =>
      (now[half].things.get(id)?.[name] ?? 0) - (was[half].get(id)?.[name] ?? 0);
    const difference: Difference = {
      kind: thing.kind,
      key: thing.key,
      listens: by('open', 'listens'),
      heard_ms: by('open', 'heard_ms'),
      plays: by('open', 'plays'),
      own_listens: by('open', 'listens') + by('hidden', 'listens'),
      own_heard_ms: by('open', 'heard_ms') + by('hidden', 'heard_ms'),
      private_plays: by('hidden', 'plays'),
      day,
    };
    if (SUMS.some((name) => difference[name] !== 0)) differences.push(difference);
  }
  return differences;
}

/** Whose eyes see the listens of a day to a thing: everybody's, or their owner's only. */
type Sight = 'open' | 'own';
const SIGHTS = ['open', 'own'] as const;

function listensTo(id: string, sight: Sight, halves: Record<Half, Map<string, ThingSum>> | undefined): number {
  const [open = 0, hidden = 0] = HALVES.map((half) => halves?.[half].get(id)?.listens);
  return sight === 'open' ? open : open + hidden;
}

const thingsNow = ({ now }: DayChange): Record<Half, Map<string, ThingSum>> => ({
  open: now.open.things,
  hidden: now.hidden.things,
});

const earlierOf = (a: number | null, b: number): number => (a === null ? b : Math.min(a, b));

async function rollupStatements(ctx: Ctx, user_id: string, changes: readonly DayChange[]): Promise<UnitStatement[]> {
  const differences = changes.flatMap(differencesOf);
  if (differences.length === 0) return [];
  const { setFirstDay, dropRollups } = statsStatements(ctx.db);
  const added = new Map<string, ListenRollupsTable>();
  for (const { day, ...difference } of differences) {
    for (const grain of GRAINS) {
      const bucket = bucketOf(grain, day);
      const id = `${grain} ${bucket} ${thingId(difference)}`;
      const sum = added.get(id);
      if (sum === undefined) {
        added.set(id, { user_id, ...difference, grain, bucket, first_day: null, own_first_day: null });
      } else for (const name of SUMS) sum[name] += difference[name];
    }
  }
  for (const { day, now } of changes) {
    for (const half of HALVES) {
      for (const [id, { listens }] of now[half].things) {
        const all = added.get(`${GRAIN.all} 0 ${id}`);
        if (all === undefined || listens === 0) continue;
        if (half === 'open') all.first_day = earlierOf(all.first_day, day);
        all.own_first_day = earlierOf(all.own_first_day, day);
      }
    }
  }
  // One order for everybody, so that two of them never wait for each other's rows.
  const rows = [...added.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
  const fallen = new Map(
    differences
      .filter(({ plays, private_plays }) => plays < 0 || private_plays < 0)
      .map(({ kind, key }) => [thingId({ kind, key }), { kind, key }]),
  );
  const firsts = await lostFirsts(ctx, user_id, changes);
  return [
    ...addRollupsStatements(ctx.db, rows),
    ...firsts.map(({ sight, ...first }) => setFirstDay[sight]({ user_id, ...first })),
    ...[...fallen.values()].map((thing) => dropRollups({ user_id, ...thing })),
  ];
}

interface First extends Pick<ListenRollupsTable, 'kind' | 'key'> {
  sight: Sight;
  day: number | null;
}

/** The first days anew of what was heard first on a day that has no listen of it any more. */
async function lostFirsts(ctx: Ctx, user_id: string, changes: readonly DayChange[]): Promise<First[]> {
  const lost = new Map<string, Omit<First, 'day'> & { days: Set<number> }>();
  for (const change of changes) {
    for (const [id, { kind, key }] of HALVES.flatMap((half) => [...change.was[half]])) {
      for (const sight of SIGHTS) {
        if (listensTo(id, sight, change.was) === 0 || listensTo(id, sight, thingsNow(change)) > 0) continue;
        const known = lost.get(`${sight} ${id}`) ?? { kind, key, sight, days: new Set() };
        known.days.add(change.day);
        lost.set(`${sight} ${id}`, known);
      }
    }
  }
  if (lost.size === 0) return [];
  const rollups = await rollupsOf(ctx, user_id, [...lost.values()]);
  const pending = new Map(changes.map((change) => [change.day, thingsNow(change)]));
  const months = new Map<number, Map<number, Record<Half, Map<string, ThingSum>>>>();
  const firsts: First[] = [];
  for (const { days, sight, ...thing } of lost.values()) {
    const id = thingId(thing);
    const stored = rollups.get(id) ?? [];
    const [listens, firstDay] = ({ open: ['listens', 'first_day'], own: ['own_listens', 'own_first_day'] } as const)[
      sight
    ];
    const first = stored.find(({ grain }) => grain === GRAIN.all)?.[firstDay] ?? null;
    if (first === null || !days.has(first)) continue;
    const candidates = new Set([
      ...stored.filter((row) => row.grain === GRAIN.month && row[listens] > 0).map((row) => row.bucket),
      ...[...pending]
        .filter(([, things]) => listensTo(id, sight, things) > 0)
        .map(([day]) => bucketOf(GRAIN.month, day)),
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
          .find((day) => listensTo(id, sight, pending.get(day) ?? heard.get(day)) > 0) ?? null;
      if (found !== null) break;
    }
    firsts.push({ ...thing, sight, day: found });
  }
  return firsts;
}

/** The sums there are of these things, by `thingId`. */
async function rollupsOf(
  ctx: Ctx,
  user_id: string,
  things: readonly Pick<ListenRollupsTable, 'kind' | 'key'>[],
): Promise<Map<string, ListenRollupsTable[]>> {
  const found = new Map<string, ListenRollupsTable[]>();
  for (const [kind, group] of Map.groupBy(things, (thing) => thing.kind)) {
    const keys = [...new Set(group.map(({ key }) => key))];
    for (let i = 0; i < keys.length; i += LIST_MAX) {
      const rows = await ctx.db
        .selectFrom('listen_rollups')
        .selectAll()
        .where('user_id', '=', user_id)
        .where('kind', '=', kind)
        .where('grain', 'in', [GRAIN.month, GRAIN.all])
        .where('key', 'in', filledUp(keys.slice(i, i + LIST_MAX)))
        .execute();
      for (const row of rows) found.set(thingId(row), [...(found.get(thingId(row)) ?? []), row]);
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
