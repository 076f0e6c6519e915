import { DomainError } from './errors.ts';
import type { Ctx, TxCtx } from './context.ts';
import type { DomainEvent } from './events.ts';

/**
 * Runs `fn` in one transaction, then, once it is durable, tells what happened and returns. Inside `fn` touch only `tx`.
 * @throws DomainError `unavailable` or `disk_full` when the database is.
 */
export async function inTransaction<T>(ctx: Ctx, fn: (tx: TxCtx) => Promise<T>): Promise<T> {
  let happened: DomainEvent[] = [];
  let result: T;
  try {
    result = await ctx.write(async (trx) => {
      happened = [];
      return fn({ trx, clock: ctx.clock, ids: ctx.ids, publish: (event) => happened.push(event) });
    });
  } catch (error) {
    throw toStorageError(ctx, error);
  }
  for (const event of happened) await ctx.events.publish(event);
  return result;
}

/** Names the database errors a caller can do something about; others pass as they are. */
export function toStorageError(ctx: Pick<Ctx, 'dialect'>, error: unknown): unknown {
  if (error instanceof DomainError) return error;
  if (ctx.dialect.isDiskFull(error)) {
    return new DomainError('disk_full', 'The server has no room left to store this. Nothing was changed.', {
      cause: error,
    });
  }
  if (ctx.dialect.isUnavailable(error)) {
    return new DomainError('unavailable', 'The database cannot be reached right now. Nothing was changed; try again.', {
      cause: error,
      retryAfter: 2,
    });
  }
  return error;
}
