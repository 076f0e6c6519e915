import type { Connection, Connections } from '#rooms/connections.ts';
import type { Ctx } from '#domain/context.ts';
import type { Identity } from './identity/identity.ts';

/** A socket whose account or session has ended closes within a second (contract §2). */
const LOOK_EVERY_MS = 600;

/**
 * Looks whether everybody who is connected may still be, and in which role: another process, such as
 * `npm run admin -- user disable`, changes accounts without a word to this one.
 * @returns what stops it
 */
export function watchRevocations(ctx: Ctx, identity: Identity, connections: Connections): () => void {
  let isLooking = false;
  async function look(): Promise<void> {
    // One answer for all the sockets of a sign-in.
    const bySignIn = [
      ...Map.groupBy(connections.all(), ({ actor }) => `${actor.user_id} ${JSON.stringify(actor.credential)}`).values(),
    ] as [Connection, ...Connection[]][];
    const asked = bySignIn.map(([first]) => first.actor);
    const standings = await identity.standings(asked);
    for (const [i, open] of bySignIn.entries()) {
      const standing = standings[i] ?? null;
      if (standing === asked[i]) continue;
      identity.forget(open[0].actor.user_id);
      for (const connection of open) {
        if (standing === null) connection.end('disabled');
        // A token that was refreshed meanwhile has a newer credential, which stays.
        else connection.actor = { ...connection.actor, role: standing.role, provider_role: standing.provider_role };
      }
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
