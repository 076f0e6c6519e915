import type { Connections } from '#rooms/connections.ts';
import type { Ctx } from '#domain/context.ts';
import type { Identity } from './identity/identity.ts';

/** A socket whose account or session has ended closes within a second (contract §2). */
const LOOK_EVERY_MS = 700;

/**
 * Looks whether everybody who is connected may still be: another process, such as `npm run admin -- user disable`, ends
 * accounts without a word to this one.
 * @returns what stops it
 */
export function watchRevocations(ctx: Ctx, identity: Identity, connections: Connections): () => void {
  let isLooking = false;
  async function look(): Promise<void> {
    // One question for all the sockets of a sign-in.
    const bySignIn = Map.groupBy(
      connections.all(),
      ({ actor }) => `${actor.user_id} ${JSON.stringify(actor.credential)}`,
    );
    for (const open of bySignIn.values()) {
      const [first] = open;
      if (first === undefined || (await identity.isActorAlive(first.actor))) continue;
      for (const connection of open) connection.end('disabled');
    }
  }
  const timer = setInterval(() => {
    if (isLooking) return;
    isLooking = true;
    look()
      .catch((error: unknown) =>
        ctx.log.warn('open connections could not be looked at', { kind: error instanceof Error ? error.name : '' }),
      )
      .finally(() => {
        isLooking = false;
      });
  }, LOOK_EVERY_MS);
  timer.unref();
  return () => clearInterval(timer);
}
