import { takeAvatarDoor } from '#contract/doors.ts';
import { ID_PATTERN } from '#contract/primitives.ts';
import { findAvatar } from '#domain/accounts/accounts.queries.ts';
import { AVATAR_SIZE, setAvatar } from '#domain/accounts/avatars.ts';
import { notFound } from '#domain/errors.ts';
import { readPicture, sendPicture } from './pictures.ts';
import type { Actor, Ctx } from '#domain/context.ts';
import type { Request, Response } from 'express';
import type { ImageProcess } from '../media/image-process.ts';
import type { MediaHandler } from './media.ts';

/** Takes the caller's picture and answers with their profile. */
export function takeAvatar(
  ctx: Ctx,
  images: ImageProcess,
): (req: Request, res: Response, actor: Actor) => Promise<void> {
  return async (req, res, actor) => {
    const webp = await readPicture(takeAvatarDoor, images, AVATAR_SIZE, req);
    res.set('cache-control', 'private, no-store').json(await setAvatar(ctx, actor, webp));
  };
}

/** Serves a picture to anybody signed in. An address shows one picture for ever, so it may be kept. */
export function serveAvatar(ctx: Ctx): MediaHandler {
  return async (req, res, _actor, avatar_id) => {
    const webp = ID_PATTERN.test(avatar_id) ? await findAvatar(ctx.db, avatar_id) : null;
    if (webp === null) throw notFound('picture');
    sendPicture(req, res, { id: avatar_id, webp }, 'max-age=31536000, immutable');
  };
}
