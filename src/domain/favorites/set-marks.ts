/** Hearts, stars and notes, as a person gives and takes them. */
import { DomainError, notFound } from '../errors.ts';
import {
  albumsByIds,
  artistsByIds,
  existingTrackIds,
  findTrackByPath,
  tracksByIds,
} from '../library/library.queries.ts';
import { epochSeconds } from '../ports.ts';
import { inTransaction } from '../unit-of-work.ts';
import { LIKED, writeLiked, writeMarks } from './favorites.repository.ts';
import type * as contract from '#contract/favorites.ts';
import type { Input, Reply } from '#contract/endpoint.ts';
import type { Favorite } from '#contract/favorites.ts';
import type { Actor, Ctx, TxCtx } from '../context.ts';
import type { LikedKind, MarkChange } from './favorites.repository.ts';

async function changeOne(ctx: Ctx, actor: Actor, track_id: string, change: MarkChange): Promise<Favorite> {
  return inTransaction(ctx, async (tx) => {
    const track = (await tracksByIds(tx.trx, [track_id])).get(track_id);
    if (track === undefined) throw notFound('track');
    const [mark] = await writeMarks(tx, actor.user_id, [{ track_id, ...change }]);
    if (mark === undefined) throw new Error('a mark was written and is not there');
    return { ...mark, track };
  });
}

/** Gives a track a heart, named by id or by path. @throws DomainError not_found */
export async function addFavorite(
  ctx: Ctx,
  actor: Actor,
  { track_id, track_path, notes }: Input<typeof contract.addFavorite>,
): Promise<Favorite> {
  const id = track_id ?? (await findTrackByPath(ctx.db, track_path ?? ''))?.id;
  if (id === undefined) throw notFound('track');
  return changeOne(ctx, actor, id, { is_favorite: true, notes });
}

/** @throws DomainError not_found */
export function setNote(
  ctx: Ctx,
  actor: Actor,
  { track_id, notes }: Input<typeof contract.setNote>,
): Promise<Favorite> {
  return changeOne(ctx, actor, track_id, { notes });
}

/** Takes a heart; it is no error if there is none. @throws DomainError not_found */
export async function removeFavorite(ctx: Ctx, actor: Actor, { track_id }: { track_id: string }): Promise<void> {
  await changeOne(ctx, actor, track_id, { is_favorite: false });
}

/** @throws DomainError not_found */
export function setRating(
  ctx: Ctx,
  actor: Actor,
  { track_id, rating }: Input<typeof contract.setRating>,
): Promise<Favorite> {
  return changeOne(ctx, actor, track_id, { rating });
}

/** Takes the stars; it is no error if there are none. @throws DomainError not_found */
export async function clearRating(ctx: Ctx, actor: Actor, { track_id }: { track_id: string }): Promise<void> {
  await changeOne(ctx, actor, track_id, { rating: null });
}

/**
 * Changes many at once, whole or not at all; a track that is named twice has its changes one after the other.
 * @throws DomainError unprocessable, naming each track there never was
 */
export async function setMarks(
  ctx: Ctx,
  actor: Actor,
  { marks }: Input<typeof contract.setMarks>,
): Promise<Reply<typeof contract.setMarks>> {
  const byTrack = new Map<string, MarkChange & { track_id: string }>();
  const now = epochSeconds(ctx.clock);
  for (const mark of marks) {
    const favorited_at = Math.min(mark.favorited_at ?? now, now);
    byTrack.set(mark.track_id, { ...byTrack.get(mark.track_id), ...mark, favorited_at });
  }
  return inTransaction(ctx, async (tx) => {
    const existing = await existingTrackIds(tx.trx, byTrack.keys());
    const errors = marks.flatMap(({ track_id }, i) =>
      existing.has(track_id) ? [] : [{ path: `marks.${i}.track_id`, message: 'there is no such track' }],
    );
    if (errors.length > 0) {
      throw new DomainError('unprocessable', 'Some of these tracks are not in the library. Nothing was changed.', {
        errors,
      });
    }
    return { items: await writeMarks(tx, actor.user_id, [...byTrack.values()]) };
  });
}

async function requireThing({ trx }: Pick<TxCtx, 'trx'>, kind: LikedKind, id: string): Promise<void> {
  const row = await trx.selectFrom(LIKED[kind].of).select('id').where('id', '=', id).executeTakeFirst();
  if (row === undefined) throw notFound(kind);
}

function changeLiked(ctx: Ctx, actor: Actor, kind: LikedKind, id: string, change: Parameters<typeof writeLiked>[4]) {
  return inTransaction(ctx, async (tx) => {
    await requireThing(tx, kind, id);
    return writeLiked(tx, actor.user_id, kind, id, change);
  });
}

type Change = Pick<MarkChange, 'is_favorite' | 'notes'>;

/** Changes a person's heart or note of an album. @throws DomainError not_found */
export async function setAlbum(
  ctx: Ctx,
  actor: Actor,
  album_id: string,
  change: Change,
): Promise<contract.FavoriteAlbum> {
  const row = await changeLiked(ctx, actor, 'album', album_id, change);
  const album = (await albumsByIds(ctx.db, [album_id])).get(album_id);
  if (album === undefined) throw notFound('album');
  return { album_id, album, ...row };
}

/** Changes a person's heart or note of an artist. @throws DomainError not_found */
export async function setArtist(
  ctx: Ctx,
  actor: Actor,
  artist_id: string,
  change: Change,
): Promise<contract.FavoriteArtist> {
  const row = await changeLiked(ctx, actor, 'artist', artist_id, change);
  const artist = (await artistsByIds(ctx.db, [artist_id])).get(artist_id);
  if (artist === undefined) throw notFound('artist');
  return { artist_id, artist, ...row };
}
