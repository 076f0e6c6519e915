import { addDays, dayStart, isDate } from '../../lib/calendar.ts';
import type { QueryValue } from '../../lib/api.ts';

const INCLUDES = ['listens', 'skips', 'all'] as const;
export type Include = (typeof INCLUDES)[number];
/** Where a play was heard, as the server names it. */
export const SOURCES = ['web', 'mobile', 'api', 'listenbrainz', 'lastfm', 'spotify'] as const;
export type Source = (typeof SOURCES)[number];

/** What is looked at; days are those of the listener's calendar, both included. */
export interface HistoryFilter {
  q: string;
  include: Include;
  from: string;
  to: string;
  source: Source | '';
  not_in_library: boolean;
  track_id: string;
  artist_id: string;
  album_id: string;
}

export const NO_FILTER: HistoryFilter = {
  q: '',
  include: 'listens',
  from: '',
  to: '',
  source: '',
  not_in_library: false,
  track_id: '',
  artist_id: '',
  album_id: '',
};

/** The filter an address asks for; what makes no sense is left out. */
export function filterOf(params: Pick<URLSearchParams, 'get'>): HistoryFilter {
  const text = (name: string) => params.get(name)?.trim() ?? '';
  const day = (name: string) => (isDate(params.get(name)) ? text(name) : '');
  return {
    q: text('q').slice(0, 100),
    include: INCLUDES.find((one) => one === params.get('include')) ?? 'listens',
    from: day('from'),
    to: day('to'),
    source: SOURCES.find((one) => one === params.get('source')) ?? '',
    not_in_library: params.get('library') === 'no',
    track_id: text('track_id'),
    artist_id: text('artist_id'),
    album_id: text('album_id'),
  };
}

/** The address of a filter; only what differs from the plain list stands in it. */
export function historyAddress(filter: Partial<HistoryFilter>): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(filter)) {
    if (name === 'not_in_library') {
      if (value === true) params.set('library', 'no');
    } else if (value !== '' && value !== NO_FILTER[name as keyof HistoryFilter]) params.set(name, String(value));
  }
  const search = params.toString();
  return search === '' ? '/history' : `/history?${search}`;
}

/** What the server is asked: days become moments in the listener's zone. */
export function queryOf(filter: HistoryFilter, zone: string): Record<string, QueryValue> {
  return {
    include: filter.include,
    q: filter.q,
    from: filter.from === '' ? '' : dayStart(filter.from, zone),
    to: filter.to === '' ? '' : dayStart(addDays(filter.to, 1), zone),
    source: filter.source,
    in_library: filter.not_in_library ? false : '',
    track_id: filter.track_id,
    artist_id: filter.artist_id,
    album_id: filter.album_id,
  };
}

/** Whether anything is left out of the list. */
export function isFiltered(filter: HistoryFilter): boolean {
  return historyAddress({ ...filter, include: 'listens' }) !== '/history';
}
