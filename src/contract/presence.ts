import { z } from 'zod';
import { defineNotice, defineRequest } from './event.ts';
import { EpochMs, Id } from './primitives.ts';

/** What others see; `hidden` looks like `offline` to them. */
export const PresenceStatus = z.enum(['online', 'away', 'offline']);
export type PresenceStatus = z.infer<typeof PresenceStatus>;
export const OwnPresence = z.enum(['online', 'away', 'hidden']);
export type OwnPresence = z.infer<typeof OwnPresence>;

export const presenceSet = defineRequest({
  name: 'presence:set',
  access: 'guest',
  scope: 'listen:write',
  payload: z.strictObject({ status: OwnPresence }),
  reply: z.object({ status: OwnPresence }),
});
export const presenceUpdate = defineNotice({
  name: 'presence:update',
  payload: z.object({ user_id: Id, status: PresenceStatus }),
  volatile: false,
});

/** For clients that play together or draw positions: the four times of a clock exchange are t0 (client), t1, t2 (server) and arrival. */
export const clockSync = defineRequest({
  name: 'clock:sync',
  access: 'guest',
  scope: 'read',
  payload: z.strictObject({ t0_ms: z.number() }),
  reply: z.object({ t0_ms: z.number(), t1_ms: EpochMs, t2_ms: EpochMs }),
});

export const authRefresh = defineRequest({
  name: 'auth:refresh',
  access: 'guest',
  scope: 'never',
  payload: z.strictObject({ token: z.string().min(1).max(16_384) }),
  reply: z.object({ expires_at: z.int() }),
});
export const SessionEndReason = z.enum(['signed_out', 'expired', 'disabled', 'revoked', 'restart', 'replaced']);
export type SessionEndReason = z.infer<typeof SessionEndReason>;
export const sessionEnded = defineNotice({
  name: 'session:ended',
  payload: z.object({ reason: SessionEndReason }),
  volatile: false,
});
