import { generateKeyBetween } from 'fractional-indexing';
import { MAX_ORDER_KEY_LENGTH, ORDER_KEY_PATTERN } from '#contract/playlist-doc.ts';
import { EntryText, PLAYLIST_DESCRIPTION_MAX, PLAYLIST_NAME_MAX } from '#contract/playlists.ts';
import { ID_PATTERN } from '#contract/primitives.ts';
import type { EntryValue } from '#contract/playlist-doc.ts';

/** The client may say who and when; the server's ledger decides. They must only be of the right kind. */
function isAttribution(added_by: unknown, added_at: unknown): boolean {
  const byIsFine = added_by === null || (typeof added_by === 'string' && ID_PATTERN.test(added_by));
  return byIsFine && typeof added_at === 'number' && Number.isFinite(added_at);
}

/** [PL5] What may be said of an entry; null when it is of the wrong shape. */
export function checkEntry(value: unknown): EntryValue | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  const { track_id, added_by, added_at, text, ...rest } = value as Record<string, unknown>;
  if (Object.keys(rest).length > 0 || !isAttribution(added_by, added_at)) return null;
  const attribution = { added_by: added_by as string | null, added_at: added_at as number };
  if (typeof track_id === 'string') {
    return ID_PATTERN.test(track_id) && text === undefined ? { track_id, ...attribution } : null;
  }
  if (track_id !== null) return null;
  const parsed = EntryText.safeParse(text);
  return parsed.success ? { track_id: null, text: dropUndefined(parsed.data), ...attribution } : null;
}

function dropUndefined(text: ReturnType<typeof EntryText.parse>): NonNullable<EntryValue['text']> {
  return JSON.parse(JSON.stringify(text)) as NonNullable<EntryValue['text']>;
}

/** [PL6] A fractional index others can insert beside: right characters, right form, bounded length. */
export function isOrderKey(value: unknown): value is string {
  if (typeof value !== 'string' || value.length > MAX_ORDER_KEY_LENGTH || !ORDER_KEY_PATTERN.test(value)) return false;
  try {
    generateKeyBetween(value, null);
    return true;
  } catch (error) {
    // The library's own way to say "not one of mine".
    if (error instanceof Error) return false;
    throw error;
  }
}

const META_LIMITS: Record<string, number> = { name: PLAYLIST_NAME_MAX, description: PLAYLIST_DESCRIPTION_MAX };

/** [PL7] */
export function isMeta(key: string, value: unknown): value is string {
  const limit = Object.hasOwn(META_LIMITS, key) ? META_LIMITS[key] : undefined;
  return limit !== undefined && typeof value === 'string' && value.length <= limit;
}
