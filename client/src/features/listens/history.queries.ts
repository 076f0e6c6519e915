import { api } from '../../lib/api.ts';
import type { Track } from '#contract/library.ts';

export interface HistoryItem {
  id: string;
  session_id: string;
  track_id: string;
  track: Track;
  started_at: number;
  ended_at: number | null;
  duration_played: number;
  completed: boolean;
  source: string;
}

/** My latest listens. */
export function recentQuery(limit: number) {
  return {
    queryKey: ['listens', 'recent', limit] as const,
    queryFn: async ({ signal }: { signal: AbortSignal }) =>
      (await api.get<{ items: HistoryItem[] }>('/listen/history', { limit }, { signal })).items,
    staleTime: 10_000,
  };
}
