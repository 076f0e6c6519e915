import {
  completeListen as completeEndpoint,
  getListenSession,
  listHistory,
  reportProgress as progressEndpoint,
  startListen as startEndpoint,
} from '#contract/listens.ts';
import { history } from '#domain/listens/history.queries.ts';
import { explainSession } from '#domain/listens/listens.queries.ts';
import { completeListen, reportProgress } from '#domain/listens/report-progress.ts';
import { startListen } from '#domain/listens/start-listen.ts';
import { on } from '../mount.ts';
import type { Route } from '../mount.ts';

export const listensRoutes: Route[] = [
  on(startEndpoint, startListen),
  on(progressEndpoint, reportProgress),
  on(completeEndpoint, completeListen),
  on(listHistory, history),
  on(getListenSession, explainSession),
];
