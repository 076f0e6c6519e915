import { z } from 'zod';
import { defineEndpoint } from './endpoint.ts';
import { EpochSeconds, Id, Nothing } from './primitives.ts';

export const deleteListen = defineEndpoint({
  name: 'listen.history.delete',
  method: 'DELETE',
  path: '/listen/history/{id}',
  access: 'user',
  summary: 'Delete one of my plays, with all that was derived from it',
  params: z.strictObject({ id: Id }),
  status: 204,
  reply: Nothing,
});
export const deleteHistory = defineEndpoint({
  name: 'user.listening_history.delete',
  method: 'DELETE',
  path: '/user/listening-history',
  access: 'user',
  summary: 'Delete all I have heard until now, with all that was derived from it',
  reply: z.object({ deleted: z.int() }),
});

/** For a time nothing of what I hear is shown to anybody or can be seen by anybody later; I still see it. */
export const PrivateSession = z.object({ active: z.boolean(), ends_at: EpochSeconds.nullable() });
export type PrivateSession = z.infer<typeof PrivateSession>;
export const getPrivateSession = defineEndpoint({
  name: 'user.private_session',
  method: 'GET',
  path: '/user/private-session',
  access: 'guest',
  summary: 'Whether a private session is on, and until when',
  reply: PrivateSession,
});
export const beginPrivateSession = defineEndpoint({
  name: 'user.private_session.begin',
  method: 'POST',
  path: '/user/private-session',
  access: 'user',
  summary: 'Begin a private session, or make the one that is on end then; hidden before this answers',
  body: z.strictObject({
    minutes: z
      .int()
      .min(1)
      .max(7 * 24 * 60)
      .default(360),
  }),
  reply: PrivateSession,
});
export const endPrivateSession = defineEndpoint({
  name: 'user.private_session.end',
  method: 'DELETE',
  path: '/user/private-session',
  access: 'user',
  summary: 'End the private session; what was heard in it stays hidden',
  status: 204,
  reply: Nothing,
});
