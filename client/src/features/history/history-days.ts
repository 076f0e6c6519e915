import { dateIn } from '../../lib/calendar.ts';

interface Heard {
  started_at: number;
  duration_played: number;
}
export interface HistoryDay<Item extends Heard> {
  date: string;
  items: readonly Item[];
  /** Seconds heard; null while more of the day may follow on the next page. */
  seconds: number | null;
}

/** Plays, newest first, by the day they began on in a zone. With `hasMore` the last day is not known to be whole. */
export function byDay<Item extends Heard>(items: readonly Item[], zone: string, hasMore: boolean): HistoryDay<Item>[] {
  const days: { date: string; items: Item[] }[] = [];
  for (const item of items) {
    const date = dateIn(item.started_at * 1000, zone);
    const last = days.at(-1);
    if (last?.date === date) last.items.push(item);
    else days.push({ date, items: [item] });
  }
  return days.map(({ date, items: heard }, i) => ({
    date,
    items: heard,
    seconds:
      hasMore && i === days.length - 1 ? null : heard.reduce((sum, { duration_played }) => sum + duration_played, 0),
  }));
}
