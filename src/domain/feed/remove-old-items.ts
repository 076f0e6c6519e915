import { oldestKept } from './feed.queries.ts';
import type { Ctx } from '../context.ts';

/** [FE1-6] Removes items that are not shown any more. @returns how many */
export async function removeOldItems(ctx: Pick<Ctx, 'write' | 'clock'>): Promise<number> {
  const oldest = oldestKept(ctx);
  const { numDeletedRows } = await ctx.write((trx) =>
    trx.deleteFrom('feed_items').where('created_at', '<=', oldest).executeTakeFirst(),
  );
  return Number(numDeletedRows);
}
