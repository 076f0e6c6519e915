import { api } from '../../lib/api.ts';
import { statsQuery } from './stats-period.ts';
import type { Stats, YearInReview } from '#contract/stats.ts';
import type { StatsView } from './stats-period.ts';

/** My listening in numbers over some time. */
export function myStatsQuery(view: StatsView) {
  return {
    queryKey: ['stats', view] as const,
    queryFn: ({ signal }: { signal: AbortSignal }) => api.get<Stats>('/listen/stats', statsQuery(view), { signal }),
    staleTime: 10_000,
  };
}

export function yearQuery(year: number) {
  return {
    queryKey: ['stats', 'year', year] as const,
    queryFn: ({ signal }: { signal: AbortSignal }) =>
      api.get<YearInReview>(`/listen/stats/year/${year}`, undefined, { signal }),
    staleTime: 60_000,
  };
}
