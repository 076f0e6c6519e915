import { DomainError } from '../errors.ts';
import type { Ctx } from '../context.ts';

/** A place in the feed: after the item of this number, as the feed stood then. */
export interface FeedPlace {
  seq: number;
  /** Epoch seconds. */
  at: number;
}

/** Cursors belong to no person: what somebody may see is asked anew whenever one is used. */
const PLACE = { user_id: '', table: 'feed_items', column: 'cursor' };
/** Digits of 2^53. */
const WIDTH = 16;

/** [FE1-5] Sealed, so that nobody counts from it what others do; always as long. */
export function writeFeedCursor({ secrets }: Pick<Ctx, 'secrets'>, { seq, at }: FeedPlace): string {
  return secrets.seal(`${String(seq).padStart(WIDTH)}${at}`, PLACE);
}

/** @throws DomainError malformed when it is none of ours */
export function readFeedCursor({ secrets }: Pick<Ctx, 'secrets'>, cursor: string): FeedPlace {
  let text: string | null;
  try {
    text = secrets.open(cursor, PLACE);
  } catch (error) {
    throw new DomainError('malformed', 'That cursor is not one this server gave out.', { cause: error });
  }
  // Its key is not kept any more.
  if (text === null) throw new DomainError('malformed', 'That cursor is too old for this server: begin without one.');
  return { seq: Number(text.slice(0, WIDTH)), at: Number(text.slice(WIDTH)) };
}
