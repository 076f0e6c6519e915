import type { NoticeName, NoticePayload } from '#contract/gateway.ts';

/** Who hears: a Socket.IO room. Clients never name one; audience.ts makes them from rights. */
export type Audience = `user:${string}` | `listening:${string}` | `presence:${string}` | `feed:${string}`;

/** What the rooms need of the gateway. */
export interface Broadcaster {
  emit<N extends NoticeName>(audience: Audience, name: N, payload: NoticePayload<N>): void;
  /** Makes a person's sockets hear exactly these audiences, beside their own; those of feeds only where a socket asked for them. */
  setAudiences(user_id: string, audiences: ReadonlySet<Audience>): void;
  /** Whether a person's sockets are to hear this, as set last. */
  mayHear(user_id: string, audience: Audience): boolean;
  /** Whether anybody hears it at all. */
  hasListeners(audience: Audience): boolean;
  onlineUsers(): string[];
}
