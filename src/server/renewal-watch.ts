import type { Connections } from '#rooms/connections.ts';
import type { Ctx } from '#domain/context.ts';
import type { Identity } from './identity/identity.ts';

/** How much later than its due time a session with nothing but open sockets is renewed. */
const LOOK_EVERY_MS = 5_000;

/**
 * Has the sessions of open sockets renewed at an outside provider when they are due: a socket makes no requests by which
 * anybody would learn that its person was locked out there.
 * @returns what stops it
 */
export function watchRenewals(ctx: Ctx, identity: Identity, connections: Connections): () => void {
  let isLooking = false;
  async function look(): Promise<void> {
    const sessions = connections
      .all()
      .flatMap(({ actor: { credential } }) => (credential.kind === 'session' ? [credential.session_id] : []));
    await identity.renewSessions([...new Set(sessions)]);
  }
  const timer = setInterval(() => {
    if (isLooking) return;
    isLooking = true;
    look()
      .catch((error: unknown) =>
        ctx.log.warn('open sessions could not be looked at', { kind: error instanceof Error ? error.name : '' }),
      )
      .finally(() => {
        isLooking = false;
      });
  }, LOOK_EVERY_MS);
  timer.unref();
  return () => clearInterval(timer);
}
