/**
 * What one turn of a playlist's room writes, as statements that are all known beforehand: the update itself, whose edits it
 * holds, and the rows that follow from it. Each touches the rows it names and no others, however long the list is.
 */
import { sql } from 'kysely';
import type { UnitStatement } from '#db/unit.ts';
import type { Schema } from '../database.ts';
import type { Append } from './playlist-log.ts';
import type { Kysely, RawBuilder } from 'kysely';

type Value = string | number | null | Uint8Array;
type Row = Readonly<Record<string, Value>>;

/** Statements are compiled for exactly so many rows, and for every number up to the least of these. */
const WIDTHS = [64, 32, 16] as const;
/** A turn of more rows of a kind than this is written with questions in between (project-tracks.ts). */
const ROWS_MAX = 2_000;

/** What of a list its room knows from its last turn, so that it need not be asked for. */
export interface KnownList {
  owner_id: string;
  version: number;
}

type Places = (name: string) => RawBuilder<unknown>;

/** Stands for a value while a statement is compiled: one of the whole, or of the row of that number. */
class Slot {
  readonly name: string;
  readonly row: number | null;
  constructor(name: string, row: number | null) {
    this.name = name;
    this.row = row;
  }
}

/** Compiles one statement a number of rows, as it is needed. `build` gets a place for a value of the whole, and of each row. */
function wideStatement(
  db: Kysely<Schema>,
  build: (at: Places, rows: readonly Places[]) => RawBuilder<unknown>,
): (whole: Row, rows: readonly Row[], mustChange?: number) => UnitStatement {
  const made = new Map<number, { sql: string; parameters: readonly unknown[] }>();
  return (whole, rows, mustChange = 0) => {
    let statement = made.get(rows.length);
    if (statement === undefined) {
      const places = Array.from(rows, (_, i) => (name: string) => sql`${new Slot(name, i)}`);
      const { sql: text, parameters } = build((name) => sql`${new Slot(name, null)}`, places).compile(db);
      statement = { sql: text, parameters };
      made.set(rows.length, statement);
    }
    const parameters = statement.parameters.map((parameter) => {
      if (!(parameter instanceof Slot)) return parameter;
      const from = parameter.row === null ? whole : rows[parameter.row];
      return from?.[parameter.name] ?? null;
    });
    return { sql: statement.sql, parameters, mustChange };
  };
}

const listed = (rows: readonly Places[], name: string) => sql.join(rows.map((row) => row(name)));
const tuples = (at: Places, rows: readonly Places[], whole: readonly string[], own: readonly string[]) =>
  sql.join(rows.map((row) => sql`(${sql.join([...whole.map(at), ...own.map(row)])})`));

function compileFor(db: Kysely<Schema>) {
  return {
    /** Keeps the memberships to this transaction, so that none is withdrawn between the look and the commit. */
    holdEditors: wideStatement(
      db,
      (at, rows) => sql`
        update playlist_collaborators set role = role
        where playlist_id = ${at('playlist_id')} and role = 'editor' and user_id in (${listed(rows, 'user_id')})`,
    ),
    list: wideStatement(
      db,
      (at) => sql`
        update user_playlists set version = version + 1, updated_at = ${at('now')},
          track_count = track_count + ${at('tracks')}, total_duration = total_duration + ${at('seconds')},
          name = coalesce(${at('name')}, name), description = coalesce(${at('description')}, description)
        where id = ${at('playlist_id')} and epoch = ${at('epoch')} and version = ${at('version')}
          and user_id = ${at('owner_id')}`,
    ),
    update: wideStatement(
      db,
      (at) => sql`
        insert into playlist_updates (playlist_id, seq, kind, bytes, user_id, created_at)
        values (${at('playlist_id')}, ${at('seq')}, 'update', ${at('bytes')}, ${at('user_id')}, ${at('now')})`,
    ),
    clients: wideStatement(
      db,
      (at, rows) => sql`
        insert into playlist_clients (playlist_id, first_seen_at, client_id, user_id)
        values ${tuples(at, rows, ['playlist_id', 'now'], ['client_id', 'user_id'])}
        on conflict (playlist_id, client_id) do nothing`,
    ),
    facts: wideStatement(
      db,
      (at, rows) => sql`
        insert into playlist_changes
          (playlist_id, seq, created_at, part, kind, user_id, entry_ids_json, details_json)
        values ${tuples(
          at,
          rows,
          ['playlist_id', 'seq', 'now'],
          ['part', 'kind', 'user_id', 'entry_ids_json', 'details_json'],
        )}
        on conflict (playlist_id, seq, part) do nothing`,
    ),
    remove: wideStatement(
      db,
      (at, rows) => sql`
        update playlist_entries set is_live = 0, order_key = null
        where playlist_id = ${at('playlist_id')} and entry_id in (${listed(rows, 'entry_id')})`,
    ),
    /** Entries at their places. Of one the ledger knows who added it, and what it is, stays. */
    put: wideStatement(
      db,
      (at, rows) => sql`
        insert into playlist_entries
          (playlist_id, added_at, is_live, entry_id, track_id, text_json, added_by_user_id, order_key)
        values ${sql.join(
          rows.map(
            (row) => sql`(
          ${at('playlist_id')}, ${at('now')}, 1,
          ${row('entry_id')}, ${row('track_id')}, ${row('text_json')}, ${row('set_by')}, ${row('order_key')}
        )`,
          ),
        )}
        on conflict (playlist_id, entry_id) do update set is_live = 1, order_key = excluded.order_key`,
    ),
  };
}

const compiled = new WeakMap<Kysely<Schema>, ReturnType<typeof compileFor>>();

/** The statements of this file, compiled once a database. */
function statementsFor(db: Kysely<Schema>): ReturnType<typeof compileFor> {
  const known = compiled.get(db) ?? compileFor(db);
  compiled.set(db, known);
  return known;
}

/** Whether a turn can be written as one unit. */
export function isOneUnit({ change, clients, facts, user_ids, checkpoint, besides }: Append): boolean {
  const counts = [change.upserted.length, change.removed.length, clients.length, facts.length, user_ids.size];
  return checkpoint === null && besides.length === 0 && Math.max(...counts) <= ROWS_MAX;
}

/**
 * The unit of a turn (`isOneUnit`). It changes nothing when the list is not as `known` says, belongs to another epoch, or an author
 * may not edit it any more.
 */
export function turnStatements(
  db: Kysely<Schema>,
  append: Append,
  { owner_id, version }: KnownList,
  now: number,
): UnitStatement[] {
  const { playlist_id, epoch, seq, bytes, user_ids, clients, change, counted, facts } = append;
  const make = statementsFor(db);
  const author = user_ids.size === 1 ? [...user_ids][0]! : null;
  const { name = null, description = null } = change;
  const list = { playlist_id, epoch, version, owner_id, now, ...counted, name, description };
  const unit: UnitStatement[] = [make.list(list, [], 1)];
  const editors = [...user_ids].filter((user_id) => user_id !== owner_id);
  for (const some of chunks(editors)) {
    const rows = some.map((user_id) => ({ user_id }));
    unit.push(make.holdEditors({ playlist_id }, rows, rows.length));
  }
  unit.push(make.update({ playlist_id, seq, bytes, user_id: author, now }, []));
  for (const some of chunks(clients)) unit.push(make.clients({ playlist_id, now }, some));
  let part = 0;
  for (const some of chunks(facts)) {
    const rows = some.map(({ kind, user_id, entry_ids, details }) => ({
      part: part++,
      kind,
      user_id,
      entry_ids_json: JSON.stringify(entry_ids),
      details_json: details === null ? null : JSON.stringify(details),
    }));
    unit.push(make.facts({ playlist_id, seq, now }, rows));
  }
  for (const some of chunks(change.removed)) {
    const rows = some.map((entry_id) => ({ entry_id }));
    unit.push(make.remove({ playlist_id }, rows));
  }
  for (const some of chunks(change.upserted)) {
    const rows = some.map(({ entry_id, track_id, text, set_by, order_key }) => ({
      entry_id,
      track_id,
      text_json: text === null ? null : JSON.stringify(text),
      set_by,
      order_key,
    }));
    unit.push(make.put({ playlist_id, now }, rows));
  }
  return unit;
}

/** Parts of such lengths as statements are compiled for. */
function chunks<T>(items: readonly T[]): (readonly T[])[] {
  const out: (readonly T[])[] = [];
  let at = 0;
  while (at < items.length) {
    const left = items.length - at;
    const width = WIDTHS.find((one) => one <= left) ?? left;
    out.push(items.slice(at, at + width));
    at += width;
  }
  return out;
}
