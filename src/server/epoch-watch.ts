import type { Ctx } from '#domain/context.ts';
import type { PlaylistRooms } from '#rooms/playlist/registry.ts';

/** Whoever has an old copy open learns of it within a second, though another process made it one. */
const LOOK_EVERY_MS = 800;

/**
 * Looks whether the open playlists still are what is stored: `npm run admin -- renew-playlist` begins a document anew without a
 * word to this process.
 * @returns what stops it
 */
export function watchEpochs(ctx: Ctx, rooms: Pick<PlaylistRooms, 'lookAtEpochs'>): () => void {
  let isLooking = false;
  const timer = setInterval(() => {
    if (isLooking) return;
    isLooking = true;
    rooms
      .lookAtEpochs()
      .catch((error: unknown) =>
        ctx.log.warn('open playlists could not be looked at', { kind: error instanceof Error ? error.name : '' }),
      )
      .finally(() => {
        isLooking = false;
      });
  }, LOOK_EVERY_MS);
  timer.unref();
  return () => clearInterval(timer);
}
