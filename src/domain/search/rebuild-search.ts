import { toStorageError } from '../unit-of-work.ts';
import { indexAlbums, indexArtists, indexTracks } from './index-items.ts';
import { WORDS_VERSION } from './words.rules.ts';
import type { Ctx } from '../context.ts';
import type { Schema } from '../database.ts';
import type { Kysely } from 'kysely';

type Write = Pick<Ctx, 'db' | 'write' | 'dialect'>;

/** Things a transaction makes found anew: other writers wait a moment for it and no longer. */
const THINGS_AT_ONCE = 250;
/** So many tracks are indexed before the server answers, which takes half a second; more while it does. */
const AT_ONCE_MAX = 2_000;

const SOURCES = [
  { indexed: 'search_artists', of: 'artists', index: indexArtists },
  { indexed: 'search_albums', of: 'albums', index: indexAlbums },
  { indexed: 'search_tracks', of: 'tracks', index: indexTracks },
] as const;

/**
 * Makes the index anew from the library; what is there meanwhile is found by what the index had. Broken off, the rest is made
 * when the server next starts.
 * @returns how many tracks, albums and artists it went through
 * @throws DomainError unavailable, disk_full
 */
export async function rebuildSearch(
  ctx: Write,
  { onProgress = () => {}, signal }: { onProgress?: (done: number) => void; signal?: AbortSignal } = {},
): Promise<number> {
  const write = async <T>(fn: (trx: Kysely<Schema>) => Promise<T>): Promise<T> => {
    try {
      return await ctx.write(fn);
    } catch (error) {
      throw toStorageError(ctx, error);
    }
  };
  await write(async (trx) => {
    await trx.deleteFrom('search_state').execute();
    await trx.deleteFrom('search_cuts').execute();
    await trx.deleteFrom('search_words').execute();
    for (const { indexed, of } of SOURCES) {
      await trx
        .deleteFrom(indexed)
        .where('id', 'not in', (eb) => eb.selectFrom(of).select('id'))
        .execute();
    }
  });
  let done = 0;
  for (const { of, index } of SOURCES) {
    let last = '';
    for (;;) {
      if (signal?.aborted === true) return done;
      const rows = await ctx.db
        .selectFrom(of)
        .select('id')
        .where('id', '>', last)
        .orderBy('id')
        .limit(THINGS_AT_ONCE)
        .execute();
      if (rows.length === 0) break;
      const ids = rows.map(({ id }) => id);
      await write((trx) => index(trx, ids));
      last = ids.at(-1)!;
      done += ids.length;
      onProgress(done);
    }
  }
  const row = { id: 1, version: WORDS_VERSION };
  await write((trx) =>
    trx
      .insertInto('search_state')
      .values(row)
      .onConflict((oc) => oc.column('id').doUpdateSet(row))
      .execute(),
  );
  return done;
}

/**
 * [SE8] Makes the index anew where it is of another version of this code, or was left half made. A small one is ready when this
 * resolves.
 * @returns resolves when a large one is
 */
export async function prepareSearch(ctx: Ctx, signal: AbortSignal): Promise<{ ready: Promise<void> }> {
  const state = await ctx.db.selectFrom('search_state').select('version').executeTakeFirst();
  if (state?.version === WORDS_VERSION) return { ready: Promise.resolve() };
  const beyond = await ctx.db.selectFrom('tracks').select('id').limit(1).offset(AT_ONCE_MAX).executeTakeFirst();
  const making = rebuildSearch(ctx, { signal }).then(
    (things) => ctx.log.info('search index made anew', { things }),
    (error: unknown) => ctx.log.error('the search index was not made anew', {}, error),
  );
  if (beyond === undefined) await making;
  return { ready: making };
}
