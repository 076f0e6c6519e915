/** The only SQL that writes hearts, stars and notes. */
import { sql } from 'kysely';
import { epochSeconds } from '../ports.ts';
import type { TxCtx } from '../context.ts';
import type { Mark } from '#contract/favorites.ts';

type Tx = Pick<TxCtx, 'trx' | 'clock' | 'publish'>;

/** What becomes of a person's hold on a track; what is not named stays. */
export interface MarkChange {
  is_favorite?: boolean | undefined;
  rating?: number | null | undefined;
  notes?: string | null | undefined;
  /** When the heart was given, in epoch seconds; now unless told. */
  favorited_at?: number | undefined;
}

const COLUMNS = ['track_id', 'rating', 'notes', 'favorited_at', 'version'] as const;
const noteOf = (notes: string | null | undefined) => (notes === '' ? null : (notes ?? null));

/**
 * Changes what a person holds of tracks that exist, each named once, and tells their devices. A heart that is there keeps the day
 * it was given.
 * @returns what they hold now, in the order asked for
 */
export async function writeMarks(
  tx: Tx,
  user_id: string,
  changes: readonly (MarkChange & { track_id: string })[],
): Promise<Mark[]> {
  const marks: Mark[] = [];
  for (const change of changes) marks.push(await writeMark(tx, user_id, change));
  tx.publish({ name: 'favorites.changed', payload: { user_id, kind: 'track', marks } });
  return marks;
}

async function writeMark(
  { trx, clock }: Tx,
  user_id: string,
  { track_id, is_favorite, rating, notes, favorited_at = epochSeconds(clock) }: MarkChange & { track_id: string },
): Promise<Mark> {
  const isTakingOnly = is_favorite !== true && (rating ?? null) === null && noteOf(notes) === null;
  if (isTakingOnly) {
    const left = await trx
      .updateTable('user_favorites')
      .set((eb) => ({
        version: eb('version', '+', 1),
        ...(is_favorite === undefined ? {} : { favorited_at: null }),
        ...(rating === undefined ? {} : { rating: null }),
        ...(notes === undefined ? {} : { notes: null }),
      }))
      .where('user_id', '=', user_id)
      .where('track_id', '=', track_id)
      .returning(COLUMNS)
      .executeTakeFirst();
    return left ?? { track_id, rating: null, notes: null, favorited_at: null, version: 0 };
  }
  return trx
    .insertInto('user_favorites')
    .values({
      user_id,
      track_id,
      rating: rating ?? null,
      notes: noteOf(notes),
      favorited_at: is_favorite === true ? favorited_at : null,
    })
    .onConflict((conflict) =>
      conflict.columns(['user_id', 'track_id']).doUpdateSet((eb) => ({
        version: eb('user_favorites.version', '+', 1),
        ...(rating === undefined ? {} : { rating }),
        ...(notes === undefined ? {} : { notes: noteOf(notes) }),
        ...(is_favorite === undefined
          ? {}
          : {
              favorited_at: is_favorite
                ? eb.fn.coalesce('user_favorites.favorited_at', 'excluded.favorited_at')
                : sql<null>`null`,
            }),
      })),
    )
    .returning(COLUMNS)
    .executeTakeFirstOrThrow();
}

/** What hearts are given to beside tracks. */
export const LIKED = {
  album: { table: 'user_favorite_albums', column: 'album_id', of: 'albums' },
  artist: { table: 'user_favorite_artists', column: 'artist_id', of: 'artists' },
} as const;
export type LikedKind = keyof typeof LIKED;

/** A heart and a note, of an album or artist. */
export interface LikedRow {
  favorited_at: number | null;
  notes: string | null;
  version: number;
}

/** As `writeMarks`, of an album or artist that exists. */
export async function writeLiked(
  { trx, clock, publish }: Tx,
  user_id: string,
  kind: LikedKind,
  id: string,
  { is_favorite, notes }: Pick<MarkChange, 'is_favorite' | 'notes'>,
): Promise<LikedRow> {
  // One text for both tables: kysely's types know no table by a variable.
  const [table, column] = [sql.table(LIKED[kind].table), sql.ref(LIKED[kind].column)];
  const stored = (name: string) => sql.ref(`${LIKED[kind].table}.${name}`);
  const { rows } = await sql<LikedRow>`
    insert into ${table} (user_id, ${column}, favorited_at, notes)
    values (${user_id}, ${id}, ${is_favorite === true ? epochSeconds(clock) : null}, ${noteOf(notes)})
    on conflict (user_id, ${column}) do update set
      version = ${stored('version')} + 1,
      favorited_at = ${
        is_favorite === undefined
          ? stored('favorited_at')
          : is_favorite
            ? sql`coalesce(${stored('favorited_at')}, excluded.favorited_at)`
            : sql`null`
      },
      notes = ${notes === undefined ? stored('notes') : sql.ref('excluded.notes')}
    returning favorited_at, notes, version`.execute(trx);
  const [row] = rows;
  if (row === undefined) throw new Error('a heart was written and is not there');
  publish({ name: 'favorites.changed', payload: { user_id, kind, id, ...row } });
  return row;
}
