import { listenCompleteEvent, listenProgressEvent, listenStartEvent } from '#contract/listens.ts';
import { completeListen, reportProgress } from '#domain/listens/report-progress.ts';
import { startListen } from '#domain/listens/start-listen.ts';
import { onEvent } from '../on-request.ts';
import type { EventHandler } from '../on-request.ts';

export const listenEvents: EventHandler[] = [
  onEvent(listenStartEvent, startListen),
  onEvent(listenProgressEvent, reportProgress),
  onEvent(listenCompleteEvent, completeListen),
];
