import { takePlaylistCoverDoor } from '#contract/doors.ts';
import { ID_PATTERN } from '#contract/primitives.ts';
import { notFound } from '#domain/errors.ts';
import { cover, PLAYLIST_COVER_SIZE, requireCoverRight, setCover } from '#domain/playlists/covers.ts';
import { readPicture, sendPicture } from './pictures.ts';
import type { Actor, Ctx } from '#domain/context.ts';
import type { Request, Response } from 'express';
import type { ImageProcess } from '../media/image-process.ts';
import type { MediaHandler } from './media.ts';

/** @throws DomainError not_found for what cannot be a list's id */
function listId(id: unknown): string {
  if (typeof id !== 'string' || !ID_PATTERN.test(id)) throw notFound('playlist');
  return id;
}

/** Takes a picture for a list and answers with the list; who may not change it is told so before anything is read. */
export function takePlaylistCover(
  ctx: Ctx,
  images: ImageProcess,
): (req: Request, res: Response, actor: Actor) => Promise<void> {
  return async (req, res, actor) => {
    const playlist_id = listId(req.params.id);
    await requireCoverRight(ctx, actor, playlist_id);
    const webp = await readPicture(takePlaylistCoverDoor, images, PLAYLIST_COVER_SIZE, req);
    res.set('cache-control', 'private, no-store').json(await setCover(ctx, actor, playlist_id, webp));
  };
}

/** Serves a list's picture to whoever may read the list. It is asked for anew each time: the right to it may have ended. */
export function servePlaylistCover(ctx: Ctx): MediaHandler {
  return async (req, res, actor, playlist_id) => {
    sendPicture(req, res, await cover(ctx, actor, listId(playlist_id)), 'no-cache');
  };
}
