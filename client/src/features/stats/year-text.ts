import { dateInWords } from '../../lib/calendar.ts';
import { lengthInWords } from '../../lib/format.ts';
import { hourLabel, highestOf } from './chart-math.ts';
import type { YearInReview } from '#contract/stats.ts';
import type { listeningEn } from '../../lib/messages/listening.en.ts';

/** A month by its name, 1 for January. */
export function monthLabel(month: number, locale: string, width: 'long' | 'short'): string {
  return new Intl.DateTimeFormat(locale, { timeZone: 'UTC', month: width }).format(Date.UTC(2000, month - 1, 1));
}

/** The sentences of a year in review, in the order they are told; those without anything to tell are null. */
export function yearSentences(year: YearInReview, words: typeof listeningEn, locale: string) {
  const { year: m, stats } = words;
  // Every day of a year in review lies in that year: it need not be said each time.
  const inYear = `${year.year}-01-01`;
  const day = (date: string) => dateInWords(date, locale, inYear);
  const minutes = Math.round(year.totals.seconds / 60);
  const before = Math.round(year.previous.seconds / 60);
  const percent = (share: number) =>
    new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: 0 }).format(share);
  const month = year.months[highestOf(year.months.map(({ seconds }) => seconds)) ?? -1];
  return {
    minutes: m.minutes(minutes),
    days:
      minutes >= 1440
        ? m.days(
            new Intl.NumberFormat(locale, {
              style: 'unit',
              unit: 'day',
              unitDisplay: 'long',
              maximumFractionDigits: 1,
            }).format(minutes / 1440),
          )
        : null,
    change:
      before === 0
        ? null
        : minutes > before
          ? m.more(percent((minutes - before) / before), year.year - 1)
          : minutes < before
            ? m.less(percent((before - minutes) / before), year.year - 1)
            : m.same(year.year - 1),
    counts: m.counts(year.totals.listens, year.totals.tracks, year.totals.artists),
    month: month ? m.monthSummary(monthLabel(month.month, locale, 'long'), lengthInWords(month.seconds, locale)) : null,
    busiestDay: year.busiest_day
      ? m.busiestDayText(day(year.busiest_day.date), lengthInWords(year.busiest_day.seconds, locale))
      : null,
    busiestHour: year.busiest_hour === null ? null : m.busiestHourText(hourLabel(year.busiest_hour, locale)),
    streak: year.longest_streak
      ? m.streakText(year.longest_streak.days, day(year.longest_streak.from), day(year.longest_streak.to))
      : null,
    repeat: year.on_repeat
      ? m.repeatText(year.on_repeat.track.text.title, year.on_repeat.track.listens, day(year.on_repeat.date))
      : null,
    discoveries: stats.newSummary(year.discoveries.tracks, year.discoveries.artists, year.discoveries.albums),
    first: year.first_listen
      ? m.firstText(
          year.first_listen.track.text.title,
          new Intl.DateTimeFormat(locale, {
            day: 'numeric',
            month: 'long',
            ...(year.time_zone ? { timeZone: year.time_zone } : {}),
          }).format(year.first_listen.at * 1000),
        )
      : null,
  };
}

/** The whole year as text, to be sent to somebody. */
export function yearAsText(year: YearInReview, words: typeof listeningEn, locale: string): string {
  const m = words.year;
  const sentences = yearSentences(year, words, locale);
  const top = (title: string, names: readonly string[]) =>
    names.length === 0 ? [] : [`${title}: ${names.slice(0, 5).join(', ')}`];
  return [
    m.title(year.year),
    sentences.minutes,
    sentences.days,
    sentences.change,
    sentences.counts,
    ...top(
      words.stats.topArtists,
      year.top_artists.map(({ name }) => name),
    ),
    ...top(
      words.stats.topTracks,
      year.top_tracks.map(({ text }) => words.stats.of(text.title, text.artist ?? words.stats.unknown)),
    ),
    ...top(
      words.stats.topAlbums,
      year.top_albums.map(({ title }) => title),
    ),
    sentences.month,
    sentences.busiestDay,
    sentences.busiestHour,
    sentences.streak,
    sentences.repeat,
    sentences.discoveries,
    sentences.first,
  ]
    .filter((line) => line !== null)
    .join('\n');
}
