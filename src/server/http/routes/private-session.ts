import {
  beginPrivateSession as beginEndpoint,
  endPrivateSession as endEndpoint,
  getPrivateSession,
} from '#contract/history.ts';
import { beginPrivateSession, endPrivateSession, readPrivateSession } from '#domain/listens/private-session.ts';
import { on } from '../mount.ts';
import type { Route } from '../mount.ts';

export const privateSessionRoutes: Route[] = [
  on(getPrivateSession, readPrivateSession),
  on(beginEndpoint, beginPrivateSession),
  on(endEndpoint, endPrivateSession),
];
