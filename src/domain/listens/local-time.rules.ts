/** Which day and hour it was for the listener. */

const DAY_S = 86_400;
/** Zones looked at so far: making a formatter costs more than a thousand uses of it. */
const formatters = new Map<string, Intl.DateTimeFormat>();
const FORMATTERS_KEPT = 500;

function formatterOf(time_zone: string): Intl.DateTimeFormat {
  const known = formatters.get(time_zone);
  if (known !== undefined) return known;
  const made = new Intl.DateTimeFormat('en-US', {
    timeZone: time_zone,
    calendar: 'gregory',
    numberingSystem: 'latn',
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  if (formatters.size >= FORMATTERS_KEPT) formatters.clear();
  formatters.set(time_zone, made);
  return made;
}

export interface LocalTime {
  /** Seconds east of UTC, daylight saving included. */
  utc_offset_s: number;
  /** Days since 1970-01-01 by the local calendar. */
  local_day: number;
}

/** The local day at a moment (epoch seconds) in an IANA zone. @throws RangeError for a zone there is not */
export function localTime(time_zone: string, at: number): LocalTime {
  const part = new Map(
    formatterOf(time_zone)
      .formatToParts(at * 1000)
      .map(({ type, value }) => [type, Number(value)]),
  );
  const of = (type: Intl.DateTimeFormatPartTypes) => part.get(type) ?? 0;
  const local = Date.UTC(of('year'), of('month') - 1, of('day'), of('hour'), of('minute'), of('second')) / 1000;
  const utc_offset_s = local - Math.floor(at);
  return { utc_offset_s, local_day: localDay(at, utc_offset_s) };
}

/** Days since 1970-01-01 by a clock that is `utc_offset_s` east of UTC. */
export function localDay(at: number, utc_offset_s: number): number {
  return Math.floor((at + utc_offset_s) / DAY_S);
}
