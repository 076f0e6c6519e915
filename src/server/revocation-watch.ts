import { activePeople } from '#domain/accounts/accounts.queries.ts';
import { endsAtMs } from '#domain/accounts/accounts.rules.ts';
import type { Connection, Connections, EndReason } from '#rooms/connections.ts';
import type { Actor, Ctx } from '#domain/context.ts';
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

  function whyOver({ credential }: Actor): EndReason {
    if (endsAtMs(credential) <= ctx.clock.nowMs()) return 'expired';
    return credential.kind === 'api_token' ? 'revoked' : 'signed_out';
  }

  async function look(): Promise<void> {
    // One answer for all the sockets of a sign-in.
    const bySignIn = [
      ...Map.groupBy(connections.all(), ({ actor }) => `${actor.user_id} ${JSON.stringify(actor.credential)}`).values(),
    ] as [Connection, ...Connection[]][];
    const asked = bySignIn.map(([first]) => first.actor);
    const standings = await identity.standings(asked);
    const gone = asked.filter((_actor, i) => (standings[i] ?? null) === null);
    const active = await activePeople(ctx.db, new Set(gone.map((actor) => actor.user_id)));
    for (const [i, open] of bySignIn.entries()) {
      const standing = standings[i] ?? null;
      const actor = asked[i];
      if (actor === undefined || standing === actor) continue;
      identity.forget(actor.user_id);
      for (const connection of open) {
        // What came by a token that was refreshed meanwhile is another sign-in by now, and is looked at next time.
        if (JSON.stringify(connection.actor.credential) !== JSON.stringify(actor.credential)) continue;
        if (standing === null) connection.end(active.has(actor.user_id) ? whyOver(actor) : 'disabled');
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
