/** Days by a calendar on the wall, as `YYYY-MM-DD`, and where they lie in time. */
const formats = new Map<string, Intl.DateTimeFormat>();

function formatIn(zone: string): Intl.DateTimeFormat {
  let format = formats.get(zone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en-CA', {
      timeZone: zone,
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
      hourCycle: 'h23',
    });
    formats.set(zone, format);
  }
  return format;
}

/** What the wall shows in a zone, as if it were UTC, in epoch milliseconds. */
function wallMs(epochMs: number, zone: string): number {
  const parts: Record<string, number> = {};
  for (const { type, value } of formatIn(zone).formatToParts(epochMs)) parts[type] = Number(value);
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
  return Date.UTC(year, month - 1, day, hour, minute, second);
}

/** The day a moment falls on in a zone. */
export function dateIn(epochMs: number, zone: string): string {
  return new Date(wallMs(epochMs, zone)).toISOString().slice(0, 10);
}

/** A day so many days later. */
export function addDays(date: string, days: number): string {
  return new Date(Date.parse(date) + days * 86_400_000).toISOString().slice(0, 10);
}

/** Days from one to another, both included. */
export function daysBetween(from: string, to: string): number {
  return Math.round((Date.parse(to) - Date.parse(from)) / 86_400_000) + 1;
}

/** Whether a text is a day there is. */
export function isDate(text: string | null | undefined): text is string {
  if (typeof text !== 'string' || !/^\d{4}-\d{2}-\d{2}$/.test(text)) return false;
  const ms = Date.parse(text);
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(text);
}

/** The first moment of a day in a zone, in epoch seconds. */
export function dayStart(date: string, zone: string): number {
  const wanted = Date.parse(date);
  let ms = wanted;
  // The offset at the guess may be another than at midnight: the second try sees the right one.
  for (let i = 0; i < 2; i++) ms = wanted - (wallMs(ms, zone) - ms);
  // Where the clocks skip midnight the day begins later.
  while (dateIn(ms, zone) < date) ms += 1_800_000;
  return Math.floor(ms / 1000);
}

/** A day in words: `Wednesday 25 November 2026`; the year is left out where it is the current one. */
export function dateInWords(date: string, locale: string, today: string, weekday: 'long' | 'short' | false = 'long') {
  return new Intl.DateTimeFormat(locale, {
    timeZone: 'UTC',
    ...(weekday ? { weekday } : {}),
    day: 'numeric',
    month: weekday === 'long' ? 'long' : 'short',
    ...(date.slice(0, 4) === today.slice(0, 4) ? {} : { year: 'numeric' }),
  }).format(Date.parse(date));
}

/** A day as seen from today: `today`, `yesterday`, then in words. */
export function dayTitle(date: string, locale: string, today: string): string {
  const ago = daysBetween(date, today) - 1;
  if (ago !== 0 && ago !== 1) return dateInWords(date, locale, today);
  const text = new Intl.RelativeTimeFormat(locale, { numeric: 'auto' }).format(-ago, 'day');
  return text.slice(0, 1).toLocaleUpperCase(locale) + text.slice(1);
}
