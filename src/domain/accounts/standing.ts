import { epochSeconds } from '../ports.ts';
import { activePeople, liveApiTokens, liveSessions, revokedTokens } from './accounts.queries.ts';
import type { Actor, Ctx } from '../context.ts';

/**
 * How callers stand now who were let in some time ago: null when they may not be here any more, else with the role that
 * counts today. One question for each kind of credential, however many ask.
 */
export async function standingsOf(ctx: Ctx, actors: readonly Actor[]): Promise<(Actor | null)[]> {
  const now = epochSeconds(ctx.clock);
  const credentials = actors.map((actor) => actor.credential);
  const [people, sessions, apiTokens, revoked] = await Promise.all([
    activePeople(ctx.db, new Set(actors.map((actor) => actor.user_id))),
    liveSessions(ctx.db, new Set(credentials.flatMap((one) => (one.kind === 'session' ? [one.session_id] : []))), now),
    liveApiTokens(ctx.db, new Set(credentials.flatMap((one) => (one.kind === 'api_token' ? [one.token_id] : []))), now),
    revokedTokens(
      ctx.db,
      actors.flatMap(({ user_id, credential }) =>
        credential.kind === 'token' ? [{ user_id, sid: credential.sid }] : [],
      ),
    ),
  ]);
  return actors.map((actor) => {
    const person = people.get(actor.user_id);
    if (person === undefined || !isAlive(actor)) return null;
    // A session or an access token brought its provider's role along; an API token follows what the provider said last.
    const provider_role = actor.credential.kind === 'api_token' ? person.provider_role : actor.provider_role;
    const role = provider_role ?? person.role;
    return role === actor.role && provider_role === actor.provider_role ? actor : { ...actor, role, provider_role };
  });

  function isAlive({ user_id, credential }: Actor): boolean {
    switch (credential.kind) {
      case 'session':
        return sessions.has(credential.session_id);
      case 'api_token':
        return apiTokens.has(credential.token_id);
      case 'token':
        return (
          credential.expires_at > now && !revoked({ user_id, sid: credential.sid, issued_at: credential.issued_at })
        );
    }
  }
}
