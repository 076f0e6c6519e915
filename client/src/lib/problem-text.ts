import { i18n } from './i18n.svelte.ts';
import type { ApiProblem } from './problem.ts';

/** A problem in the person's own language where we have words for it, else as the server put it. */
export function problemText(problem: ApiProblem): string {
  const words = i18n.m.problems;
  switch (problem.code) {
    case 'network':
    case 'timeout':
    case 'unauthenticated':
    case 'too_many':
    case 'unavailable':
    case 'internal':
    case 'disk_full':
      return words[problem.code];
    case 'not_found':
    case 'forbidden':
      return problem.detail || words[problem.code];
    default:
      return problem.detail || words.title;
  }
}
