import { api } from '../../lib/api.ts';
import type { HistoryItem } from '#contract/listens.ts';

/** My latest listens. */
export function recentQuery(limit: number) {
  return {
    queryKey: ['listens', 'recent', limit] as const,
    queryFn: async ({ signal }: { signal: AbortSignal }) =>
      (await api.get<{ items: HistoryItem[] }>('/listen/history', { limit }, { signal })).items,
    staleTime: 10_000,
  };
}
