import { QueryClient } from '@tanstack/svelte-query';
import { ApiProblem } from './problem.ts';

/** The cache of everything read by REST; a refusal is final, anything else is tried twice more. */
export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 30_000,
      gcTime: 10 * 60_000,
      retry: (failures, error) => failures < 2 && !(error instanceof ApiProblem && !error.retryable),
      retryDelay: (failures, error) =>
        (error instanceof ApiProblem && error.retry_after_ms) || Math.min(1000 * 2 ** failures, 8000),
      // A read fails with its reason instead of waiting silently for a network that may be there.
      networkMode: 'always',
    },
    mutations: { retry: false, networkMode: 'always' },
  },
});
