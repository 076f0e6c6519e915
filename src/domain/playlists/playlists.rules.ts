import { EntryText, PLAYLIST_DESCRIPTION_MAX, PLAYLIST_NAME_MAX } from '#contract/playlists.ts';
import { ID_PATTERN, PLAIN_LINE, PLAIN_TEXT } from '#contract/primitives.ts';
import type { EntryValue } from '#contract/playlist-doc.ts';

/** The client may say who and when; the server's ledger decides. They must only be of the right kind. */
function isAttribution(added_by: unknown, added_at: unknown): boolean {
  const byIsFine = added_by === null || (typeof added_by === 'string' && ID_PATTERN.test(added_by));
  return byIsFine && typeof added_at === 'number' && Number.isFinite(added_at);
}

/** A decoder that meets a key `__proto__` swaps the prototype, and with it fields nobody stored. */
function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

/** [PL5] What may be said of an entry; null when it is of the wrong shape. */
export function checkEntry(value: unknown): EntryValue | null {
  if (!isPlainObject(value)) return null;
  const { track_id, added_by, added_at, text, ...rest } = value;
  if (Object.keys(rest).length > 0 || !isAttribution(added_by, added_at)) return null;
  const attribution = { added_by: added_by as string | null, added_at: added_at as number };
  if (typeof track_id === 'string') {
    return ID_PATTERN.test(track_id) && text === undefined ? { track_id, ...attribution } : null;
  }
  if (track_id !== null || !isPlainObject(text) || !EntryText.safeParse(text).success) return null;
  return { track_id: null, text: text as unknown as NonNullable<EntryValue['text']>, ...attribution };
}

/** [PL7] The same rules as for REST, which trims besides. */
export function isMeta(key: string, value: unknown): value is string {
  if (typeof value !== 'string') return false;
  if (key === 'name') return value.length <= PLAYLIST_NAME_MAX && PLAIN_LINE.test(value);
  return key === 'description' && value.length <= PLAYLIST_DESCRIPTION_MAX && PLAIN_TEXT.test(value);
}
