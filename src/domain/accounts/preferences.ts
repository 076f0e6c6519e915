import { DEFAULT_PREFERENCES, Preferences } from '#contract/accounts.ts';
import { notFound } from '../errors.ts';
import { DEFAULT_ZONE, markStaleZone, reckonZone } from '../listens/reckon-zone.ts';
import { inTransaction } from '../unit-of-work.ts';
import { findPreferencesJson } from './accounts.queries.ts';
import { lockPreferences, updateUser } from './accounts.repository.ts';
import type { updatePreferences as endpoint } from '#contract/accounts.ts';
import type { Input } from '#contract/endpoint.ts';
import type { Actor, Ctx } from '../context.ts';

/** Stored preferences, each field that is missing or no longer understood at its default. */
export function parsePreferences(json: string): Preferences {
  const stored: unknown = JSON.parse(json);
  const fields = new Map(typeof stored === 'object' && stored !== null ? Object.entries(stored) : []);
  const known = Object.entries(Preferences.shape).flatMap(([name, schema]) => {
    const parsed = schema.safeParse(fields.get(name));
    return parsed.success ? [[name, parsed.data] as const] : [];
  });
  return { ...DEFAULT_PREFERENCES, ...(Object.fromEntries(known) as Partial<Preferences>) };
}

/** Whether a person's stored preferences let others see that they are here. */
export function showsPresence(preferences_json: string): boolean {
  return (JSON.parse(preferences_json) as Partial<Preferences> | null)?.show_presence !== false;
}

/** The caller's preferences. */
export async function readPreferences(ctx: Ctx, actor: Actor): Promise<Preferences> {
  const json = await findPreferencesJson(ctx.db, actor.user_id);
  if (json === null) throw notFound('person');
  return parsePreferences(json);
}

/**
 * Changes the named preferences of the caller and keeps the others. Somebody who moves to another time zone has their days
 * reckoned by it before this answers; broken off, that goes on when statistics are next read. Whoever may not see them any more
 * does not once this answers.
 */
export async function updatePreferences(ctx: Ctx, actor: Actor, input: Input<typeof endpoint>): Promise<Preferences> {
  const { user_id } = actor;
  const { merged, hasMoved } = await inTransaction(ctx, async (tx) => {
    const { trx } = tx;
    const named = Object.fromEntries(
      Object.entries(input).filter(([, value]) => value !== undefined),
    ) as Partial<Preferences>;
    const before = parsePreferences(await lockPreferences(trx, user_id));
    const after = { ...before, ...named };
    await updateUser(trx, user_id, { preferences_json: JSON.stringify(after) });
    const zone = after.time_zone ?? DEFAULT_ZONE;
    const moves = zone !== (before.time_zone ?? DEFAULT_ZONE);
    if (moves) await markStaleZone(trx, user_id, zone);
    if (named.show_presence !== undefined) tx.publish({ name: 'preferences.changed', payload: { user_id } });
    return { merged: after, hasMoved: moves };
  });
  if (hasMoved) await reckonZone(ctx, user_id);
  return merged;
}
