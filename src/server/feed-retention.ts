import { removeOldItems } from '#domain/feed/remove-old-items.ts';
import type { Ctx } from '#domain/context.ts';

/** Items of more than 30 days are shown to nobody, whether or not they have been removed yet. */
const TIDY_EVERY_MS = 3_600_000;

/** Removes old items of the feed, now and then. @returns what stops it */
export function keepFeedShort(ctx: Ctx): () => void {
  const timer = setInterval(() => {
    removeOldItems(ctx).catch((error: unknown) =>
      ctx.log.warn('old items of the feed could not be removed', { kind: error instanceof Error ? error.name : '' }),
    );
  }, TIDY_EVERY_MS);
  timer.unref();
  return () => clearInterval(timer);
}
