import { deleteHistory as deleteAllEndpoint, deleteListen as deleteEndpoint } from '#contract/history.ts';
import { getPersonStats, getStats, getYearInReview } from '#contract/stats.ts';
import { deleteHistory, deleteListen } from '#domain/listens/delete-listen.ts';
import { myStats, personStats, yearInReview } from '#domain/stats/stats.queries.ts';
import { on } from '../mount.ts';
import type { Route } from '../mount.ts';

export const statsRoutes: Route[] = [
  on(getStats, myStats),
  on(getYearInReview, yearInReview),
  on(getPersonStats, personStats),
  on(deleteEndpoint, deleteListen),
  on(deleteAllEndpoint, deleteHistory),
];
