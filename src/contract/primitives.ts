import { z } from 'zod';

/** Ids on the wire are opaque and carry at least 122 random bits: 22 to 36 URL-safe characters, so a UUID fits. */
export const ID_PATTERN = /^[A-Za-z0-9_-]{22,36}$/;
export const Id = z.string().regex(ID_PATTERN, 'must be an id: 22 to 36 letters, digits, _ or -');

/** Seconds since 1970-01-01T00:00:00Z, whole. */
export const EpochSeconds = z.int().nonnegative();
/** Milliseconds since 1970-01-01T00:00:00Z. A client's own clock may be off by years, so nothing narrower is asked here. */
export const EpochMs = z.int();
/** A place in a track, in milliseconds from its start; a day is longer than any track. */
export const PositionMs = z.number().min(0).max(86_400_000);

export const MAX_PAGE_SIZE = 200;
export const DEFAULT_PAGE_SIZE = 50;

/** Query of every list: how many, and where the page before ended. Query values arrive as text. */
export const PageQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(MAX_PAGE_SIZE).default(DEFAULT_PAGE_SIZE),
  cursor: z.string().max(512).optional(),
});

/** A list answer: `next_cursor` is null on the last page. */
export function page<T extends z.ZodType>(item: T) {
  return z.object({ items: z.array(item), next_cursor: z.string().nullable() });
}

/** A query switch: absent, `true`/`1` or `false`/`0`. */
export const QueryFlag = z.enum(['true', 'false', '1', '0']).transform((value) => value === 'true' || value === '1');

/** An answer without content (204). */
export const Nothing = z.void();
export const NoInput = z.strictObject({});

/** No control characters, and no direction overrides that could make one text look like another. */
export const PLAIN_LINE = /^[^\p{Cc}\u202a-\u202e\u2066-\u2069]*$/u;
/** As `PLAIN_LINE`, with tabs and line breaks. */
export const PLAIN_TEXT = /^(?:[^\p{Cc}\u202a-\u202e\u2066-\u2069]|[\n\r\t])*$/u;

/**
 * A single line of human text: no control characters, no direction overrides that could make one name look like another,
 * trimmed, counted in UTF-16 units.
 */
export function line(max: number, min = 1) {
  return z.string().trim().min(min).max(max).regex(PLAIN_LINE, 'must be one line of plain text');
}

/** Text of several lines: as `line`, with tabs and line breaks. */
export function text(max: number) {
  return z.string().trim().max(max).regex(PLAIN_TEXT, 'must be plain text');
}

/** An IANA time zone. */
export const TimeZone = z
  .string()
  .max(64)
  .refine((name) => {
    try {
      return Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
    } catch {
      return false;
    }
  }, 'must be a time zone, such as Europe/Berlin');
