/** Sums over tracks, artists, albums and genres for any range: whole years and months as they are stored, single days unpacked. */
import { setImmediate } from 'node:timers/promises';
import { sql } from 'kysely';
import { partsOf, yearDays, yearOf } from './calendar.rules.ts';
import { byAmount, unpackThings } from './day-sums.rules.ts';
import { GRAIN, KIND } from './stats.table.ts';
import { LIST_MAX, filledUp } from './stats.repository.ts';
import type { Ctx } from '../context.ts';
import type { Days, Parts } from './calendar.rules.ts';
import type { Kind } from './stats.table.ts';

type Db = Ctx['db'];

/** Whose sums, and whether with what was heard in private. */
export interface View {
  user_id: string;
  isSelf: boolean;
}
/** A thing with what it adds up to. */
export interface Summed {
  key: string;
  listens: number;
  heard_ms: number;
}

/** Rows read before others get their turn on the event loop. */
const DAYS_READ = 16;
/** So many are no longer looked up one by one: all of the span are read. */
const WHOLE_FROM = 2 * LIST_MAX;

/** Sums of one kind over one range. */
export interface ThingSums {
  /** How many different ones were listened to. */
  count(): Promise<number>;
  /** The first by listens, then time. */
  top(limit: number): Promise<Summed[]>;
  /** The first of those that were listened to for the first time ever within `range`. */
  topNew(limit: number, range: Days): Promise<Summed[]>;
}

/** Opens the sums of a range. `heard` is from the first to the last day with anything at all, null when there is none. */
export async function thingSumsOf(
  db: Db,
  view: View,
  range: Days,
  heard: Days | null,
): Promise<(kind: Kind) => ThingSums> {
  const parts: Parts = heard === null ? { buckets: [], days: [] } : partsOf(cut(range, heard));
  return openParts(db, view, parts);
}

/** As `thingSumsOf`, for all time. */
export function thingSumsOfAllTime(db: Db, view: View): Promise<(kind: Kind) => ThingSums> {
  return openParts(db, view, { buckets: [{ grain: GRAIN.all, bucket: 0, sign: 1 }], days: [] });
}

/** The range without the years in which nothing was heard. */
function cut({ from, to }: Days, heard: Days): Days {
  return { from: Math.max(from, yearDays(yearOf(heard.from)).from), to: Math.min(to, yearDays(yearOf(heard.to)).to) };
}

/** Which columns the viewer is shown. */
function columnsOf({ isSelf }: View) {
  return isSelf
    ? ({ listens: 'own_listens', heard_ms: 'own_heard_ms', first_day: 'own_first_day' } as const)
    : ({ listens: 'listens', heard_ms: 'heard_ms', first_day: 'first_day' } as const);
}

type Bucket = Parts['buckets'][number];

function things(db: Db, { user_id }: View, kind: Kind) {
  return db.selectFrom('listen_rollups').where('user_id', '=', user_id).where('kind', '=', kind);
}
/** All of one kind within one stored span. */
function rowsOf(db: Db, view: View, kind: Kind, { grain, bucket }: Bucket) {
  return things(db, view, kind).where('grain', '=', grain).where('bucket', '=', bucket);
}

type Extras = Map<Kind, Map<string, Summed>>;

function add(extras: Extras, kind: Kind, { key, listens, heard_ms }: Summed, sign: number): void {
  const ofKind = extras.get(kind) ?? new Map<string, Summed>();
  extras.set(kind, ofKind);
  const known = ofKind.get(key);
  if (known === undefined) ofKind.set(key, { key, listens: sign * listens, heard_ms: sign * heard_ms });
  else {
    known.listens += sign * listens;
    known.heard_ms += sign * heard_ms;
  }
}

/**
 * One stored span, the largest, is read along its index; what the others and the single days add or take away is loaded. Most
 * ranges people ask for are one span.
 */
async function openParts(db: Db, view: View, { buckets, days }: Parts): Promise<(kind: Kind) => ThingSums> {
  const [base, ...others] = [...buckets].sort((a, b) => b.sign - a.sign || b.grain - a.grain);
  const extras: Extras = new Map();
  for (let i = 0; i < days.length; i += DAYS_READ) {
    if (i > 0) await setImmediate();
    const some = days.slice(i, i + DAYS_READ);
    const signs = new Map(some.map(({ day, sign }) => [day, sign]));
    const rows = await db
      .selectFrom('listen_days')
      .select(['local_day', 'things_json'])
      .where('user_id', '=', view.user_id)
      .where('local_day', 'in', filledUp(some.map(({ day }) => day)))
      .where('is_hidden', '<=', view.isSelf ? 1 : 0)
      .execute();
    for (const row of rows) {
      const sign = signs.get(row.local_day) ?? 1;
      for (const thing of unpackThings(row.things_json)) add(extras, thing.kind, thing, sign);
    }
  }
  const columns = columnsOf(view);
  for (const other of others) {
    for (const kind of Object.values(KIND)) {
      await setImmediate();
      const rows = await rowsOf(db, view, kind, other)
        .select(['key', `${columns.listens} as listens`, `${columns.heard_ms} as heard_ms`])
        .execute();
      for (const row of rows) add(extras, kind, row, other.sign);
    }
  }
  return (kind) => ofKind(db, view, base, kind, extras.get(kind) ?? new Map());
}

function ofKind(
  db: Db,
  view: View,
  base: Bucket | undefined,
  kind: Kind,
  extras: ReadonlyMap<string, Summed>,
): ThingSums {
  const baseRows = (from: Bucket) => rowsOf(db, view, kind, from);

  async function inBase(keys: Iterable<string>): Promise<Map<string, Summed>> {
    const found = new Map<string, Summed>();
    if (base === undefined) return found;
    const { listens, heard_ms } = columnsOf(view);
    const wanted = [...keys];
    const all = baseRows(base).select(['key', `${listens} as listens`, `${heard_ms} as heard_ms`]);
    if (wanted.length > WHOLE_FROM) {
      const among = new Set(wanted);
      for (const row of await all.execute()) if (among.has(row.key)) found.set(row.key, row);
      return found;
    }
    for (let i = 0; i < wanted.length; i += LIST_MAX) {
      const rows = await things(db, view, kind)
        .select(['key', `${listens} as listens`, `${heard_ms} as heard_ms`])
        .where('key', 'in', filledUp(wanted.slice(i, i + LIST_MAX)))
        .where('grain', '=', base.grain)
        // Not by the index of spans, of which SQLite would read all for each list.
        .where((eb) => eb(eb.fn.coalesce('bucket', sql.lit(-1)), '=', base.bucket))
        .execute();
      for (const row of rows) found.set(row.key, row);
    }
    return found;
  }

  /** How many of the base were listened to; each index is read without the rows behind it. */
  async function countBase(from: Bucket): Promise<number> {
    const open = await baseRows(from)
      .select((eb) => eb.fn.countAll<number>().as('count'))
      .where('listens', '>', 0)
      .executeTakeFirstOrThrow();
    if (!view.isSelf) return Number(open.count);
    const inPrivate = await baseRows(from)
      .select((eb) => eb.fn.countAll<number>().as('count'))
      .where('private_plays', '>', 0)
      .where('own_listens', '>', 0)
      .where('listens', '=', 0)
      .executeTakeFirstOrThrow();
    return Number(open.count) + Number(inPrivate.count);
  }

  /** The first `limit` of the base at least, in no order. */
  async function topBase(from: Bucket, limit: number): Promise<Summed[]> {
    const open = baseRows(from)
      .select(['key', 'listens', 'heard_ms'])
      .where('listens', '>', 0)
      .orderBy('listens', 'desc')
      .orderBy('heard_ms', 'desc')
      .orderBy('key', 'desc')
      .limit(limit);
    if (!view.isSelf) return open.execute();
    const inPrivate = baseRows(from)
      .select(['key', 'own_listens as listens', 'own_heard_ms as heard_ms'])
      .where('private_plays', '>', 0)
      .where('own_listens', '>', 0)
      .orderBy('own_listens', 'desc')
      .orderBy('own_heard_ms', 'desc')
      .orderBy('key', 'desc')
      .limit(limit);
    return [...(await open.where('private_plays', '=', 0).execute()), ...(await inPrivate.execute())];
  }

  let merging: Promise<{ merged: Map<string, Summed>; shared: Map<string, Summed> }> | null = null;
  /** What is not in the base alone, summed; and what of it the base has. */
  const merge = () =>
    (merging ??= inBase(extras.keys()).then((shared) => {
      const merged = new Map<string, Summed>();
      for (const [key, { listens, heard_ms }] of extras) {
        const more = shared.get(key);
        merged.set(key, {
          key,
          listens: listens + (more?.listens ?? 0),
          heard_ms: heard_ms + (more?.heard_ms ?? 0),
        });
      }
      return { merged, shared };
    }));
  const ranked = (rows: readonly Summed[], merged: ReadonlyMap<string, Summed>, limit: number) =>
    [...rows.filter(({ key }) => !merged.has(key)), ...merged.values()]
      .filter(({ listens }) => listens > 0)
      .sort(byAmount)
      .slice(0, limit);

  const sums: ThingSums = {
    async count() {
      const { merged, shared } = await merge();
      let count = base === undefined ? 0 : await countBase(base);
      for (const { key, listens } of merged.values()) {
        count += (listens > 0 ? 1 : 0) - ((shared.get(key)?.listens ?? 0) > 0 ? 1 : 0);
      }
      return count;
    },
    async top(limit) {
      const { merged, shared } = await merge();
      return ranked(base === undefined ? [] : await topBase(base, limit + shared.size), merged, limit);
    },
    async topNew(limit, range) {
      const { merged } = await merge();
      const isNew = async (keys: readonly string[]) => {
        const found = new Set<string>();
        for (let i = 0; i < keys.length; i += LIST_MAX) {
          if (i > 0) await setImmediate();
          const rows = await firsts(db, view, kind, range)
            .select('key')
            .where('grain', '=', GRAIN.all)
            .where('key', 'in', filledUp(keys.slice(i, i + LIST_MAX)))
            .execute();
          for (const { key } of rows) found.add(key);
        }
        return found;
      };
      // Among those that were new, or, where they are many, down the list until there are enough.
      const some = await firsts(db, view, kind, range)
        .select('key')
        .limit(LIST_MAX + 1)
        .execute();
      if (some.length <= LIST_MAX) {
        const keys = new Set(some.map(({ key }) => key));
        const rows = await inBase(keys);
        return ranked([...rows.values()], merged, Infinity)
          .filter(({ key }) => keys.has(key))
          .slice(0, limit);
      }
      for (let depth = LIST_MAX; ; depth *= 4) {
        const rows = await sums.top(depth);
        const found = await isNew(rows.map(({ key }) => key));
        if (rows.length < depth || found.size >= limit) {
          return rows.filter(({ key }) => found.has(key)).slice(0, limit);
        }
      }
    },
  };
  return sums;
}

/** What was listened to for the first time ever within a range: a row each, of all time. */
function firsts(db: Db, view: View, kind: Kind, { from, to }: Days) {
  const { first_day } = columnsOf(view);
  return things(db, view, kind)
    .where(first_day, 'is not', null)
    .where(first_day, '>=', from)
    .where(first_day, '<=', to);
}

/** How many of one kind were listened to for the first time ever within a range. */
export async function countFirsts(db: Db, view: View, kind: Kind, range: Days): Promise<number> {
  const { count } = await firsts(db, view, kind, range)
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow();
  return Number(count);
}
