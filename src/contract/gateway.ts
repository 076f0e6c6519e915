import { favoritesChanged } from './favorites.ts';
import { jobProgress } from './jobs.ts';
import {
  listenBatchEvent,
  listenCompleteEvent,
  listenProgressEvent,
  listenStartEvent,
  listeningUpdate,
} from './listens.ts';
import { playlistChanged } from './playlists.ts';
import { authRefresh, clockSync, presenceSet, presenceUpdate, sessionEnded } from './presence.ts';
import { userUnwatch, userWatch } from './social.ts';
import { feedItem, feedSubscribe, feedUnsubscribe } from './feed.ts';
import type { SocketNotice, SocketRequest } from './event.ts';
import type { Problem } from './problems.ts';
import type { z } from 'zod';

/** Every event a client may send. The gateway registers exactly these. */
export const REQUESTS = [
  listenStartEvent,
  listenProgressEvent,
  listenCompleteEvent,
  listenBatchEvent,
  presenceSet,
  clockSync,
  authRefresh,
  userWatch,
  userUnwatch,
  feedSubscribe,
  feedUnsubscribe,
] as const;

/** Every event the server may send. */
export const NOTICES = [
  listeningUpdate,
  presenceUpdate,
  feedItem,
  playlistChanged,
  favoritesChanged,
  jobProgress,
  sessionEnded,
] as const;

export type Ack<Data> = { ok: true; data: Data } | { ok: false; problem: Problem };

type AnyRequest = (typeof REQUESTS)[number];
type AnyNotice = (typeof NOTICES)[number];
export type RequestName = AnyRequest['name'];
export type NoticeName = AnyNotice['name'];
type RequestOf<N extends RequestName> = Extract<AnyRequest, { name: N }>;
type NoticeOf<N extends NoticeName> = Extract<AnyNotice, { name: N }>;
type PayloadOf<R> =
  R extends SocketRequest<string, infer P> ? z.input<P> : R extends SocketNotice<string, infer P> ? z.output<P> : never;
type ReplyOf<R> = R extends SocketRequest<string, z.ZodType, infer P> ? z.output<P> : never;

export type NoticePayload<N extends NoticeName> = PayloadOf<NoticeOf<N>>;
export type RequestPayload<N extends RequestName> = PayloadOf<RequestOf<N>>;
export type RequestReply<N extends RequestName> = ReplyOf<RequestOf<N>>;

export type ClientToServerEvents = {
  [N in RequestName]: (payload: RequestPayload<N>, ack?: (answer: Ack<RequestReply<N>>) => void) => void;
};
export type ServerToClientEvents = {
  [N in NoticeName]: (payload: NoticePayload<N>) => void;
};
