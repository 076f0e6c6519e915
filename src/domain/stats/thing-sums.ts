/** Sums over tracks, artists, albums and genres for any range: whole years and months as they are stored, single days unpacked. */
import { setImmediate } from 'node:timers/promises';
import { partsOf, yearDays, yearOf } from './calendar.rules.ts';
import { byAmount, unpackThings } from './day-sums.rules.ts';
import { GRAIN } from './stats.table.ts';
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

/** Sums of one kind over one range. */
export interface ThingSums {
  /** How many different ones were listened to. */
  count(): Promise<number>;
  /** The first by listens, then time; `within` leaves out all others. */
  top(limit: number, within?: ReadonlySet<string>): Promise<Summed[]>;
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
  return openParts(db, view, { buckets: [{ grain: GRAIN.all, bucket: 0 }], days: [] });
}

/** The range without the years in which nothing was heard. */
function cut({ from, to }: Days, heard: Days): Days {
  return { from: Math.max(from, yearDays(yearOf(heard.from)).from), to: Math.min(to, yearDays(yearOf(heard.to)).to) };
}

type Extras = Map<Kind, Map<string, Summed>>;

function add(extras: Extras, kind: Kind, { key, listens, heard_ms }: Summed): void {
  const ofKind = extras.get(kind) ?? new Map<string, Summed>();
  extras.set(kind, ofKind);
  const known = ofKind.get(key);
  if (known === undefined) ofKind.set(key, { key, listens, heard_ms });
  else {
    known.listens += listens;
    known.heard_ms += heard_ms;
  }
}

/**
 * One stored span, the largest, is read along its index; what the others, the single days and the private listens add is loaded.
 * Most ranges people ask for are one span and few private listens.
 */
async function openParts(db: Db, view: View, { buckets, days }: Parts): Promise<(kind: Kind) => ThingSums> {
  const [base, ...others] = [...buckets].sort((a, b) => b.grain - a.grain);
  const extras: Extras = new Map();
  for (let i = 0; i < days.length; i += DAYS_READ) {
    if (i > 0) await setImmediate();
    const rows = await db
      .selectFrom('listen_days')
      .select('things_json')
      .where('user_id', '=', view.user_id)
      .where('local_day', 'in', filledUp(days.slice(i, i + DAYS_READ)))
      .where('is_hidden', '<=', view.isSelf ? 1 : 0)
      .execute();
    for (const row of rows) for (const thing of unpackThings(row.things_json)) add(extras, thing.kind, thing);
  }
  const load = async (part: Parts['buckets'][number], is_hidden: 0 | 1) => {
    const rows = await db
      .selectFrom('listen_rollups')
      .select(['kind', 'key', 'listens', 'heard_ms'])
      .where('user_id', '=', view.user_id)
      .where('is_hidden', '=', is_hidden)
      .where('grain', '=', part.grain)
      .where('bucket', '=', part.bucket)
      .execute();
    for (const row of rows) add(extras, row.kind, row);
  };
  for (const part of others) {
    await load(part, 0);
    await setImmediate();
  }
  if (view.isSelf) for (const part of buckets) await load(part, 1);
  return (kind) => ofKind(db, view, base, kind, extras.get(kind) ?? new Map());
}

function ofKind(
  db: Db,
  { user_id }: View,
  base: Parts['buckets'][number] | undefined,
  kind: Kind,
  extras: ReadonlyMap<string, Summed>,
): ThingSums {
  const baseRows = (from: NonNullable<typeof base>) =>
    db
      .selectFrom('listen_rollups')
      .where('user_id', '=', user_id)
      .where('is_hidden', '=', 0)
      .where('grain', '=', from.grain)
      .where('bucket', '=', from.bucket)
      .where('kind', '=', kind);

  async function inBase(keys: Iterable<string>): Promise<Map<string, Summed>> {
    const found = new Map<string, Summed>();
    if (base === undefined) return found;
    const wanted = [...keys];
    for (let i = 0; i < wanted.length; i += LIST_MAX) {
      const rows = await baseRows(base)
        .select(['key', 'listens', 'heard_ms'])
        .where('key', 'in', filledUp(wanted.slice(i, i + LIST_MAX)))
        .execute();
      for (const row of rows) found.set(row.key, row);
    }
    return found;
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

  return {
    async count() {
      const { merged, shared } = await merge();
      let count = 0;
      if (base !== undefined) {
        const row = await baseRows(base)
          .select((eb) => eb.fn.countAll<number>().as('count'))
          .where('listens', '>', 0)
          .executeTakeFirstOrThrow();
        count = Number(row.count);
      }
      for (const { key, listens } of merged.values()) {
        if (listens > 0 && (shared.get(key)?.listens ?? 0) === 0) count++;
      }
      return count;
    },
    async top(limit, within) {
      const { merged, shared } = await merge();
      let rows: Summed[] = [];
      if (within !== undefined && within.size <= LIST_MAX) rows = [...(await inBase(within)).values()];
      else if (base !== undefined) {
        const query = baseRows(base)
          .select(['key', 'listens', 'heard_ms'])
          .where('listens', '>', 0)
          .orderBy('listens', 'desc')
          .orderBy('heard_ms', 'desc')
          .orderBy('key', 'desc');
        rows = await (within === undefined ? query.limit(limit + shared.size) : query).execute();
      }
      return [...rows.filter(({ key }) => !merged.has(key)), ...merged.values()]
        .filter(({ key, listens }) => listens > 0 && (within === undefined || within.has(key)))
        .sort(byAmount)
        .slice(0, limit);
    },
  };
}

/** Which of one kind were listened to for the first time ever within a range. */
export async function firstHeard(db: Db, view: View, kind: Kind, { from, to }: Days): Promise<Set<string>> {
  const firsts = (is_hidden: 0 | 1) =>
    db
      .selectFrom('listen_rollups')
      .select(['key', 'first_day'])
      .where('user_id', '=', view.user_id)
      .where('is_hidden', '=', is_hidden)
      .where('kind', '=', kind)
      .where('first_day', 'is not', null)
      .$narrowType<{ first_day: number }>();
  const open = await firsts(0).where('first_day', '>=', from).where('first_day', '<=', to).execute();
  const found = new Set(open.map(({ key }) => key));
  if (!view.isSelf) return found;
  // What was heard in private may have been heard before, or only been heard openly before.
  const hidden = await firsts(1).where('first_day', '<=', to).execute();
  const only = hidden.filter(({ key, first_day }) => first_day >= from && !found.has(key));
  for (const { key, first_day } of hidden) if (first_day < from) found.delete(key);
  for (let i = 0; i < only.length; i += LIST_MAX) {
    const some = only.slice(i, i + LIST_MAX).map(({ key }) => key);
    const before = await firsts(0).where('key', 'in', filledUp(some)).where('first_day', '<', from).execute();
    const known = new Set(before.map(({ key }) => key));
    for (const key of some) if (!known.has(key)) found.add(key);
  }
  return found;
}
