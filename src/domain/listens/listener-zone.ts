import { findPreferencesJson } from '../accounts/accounts.queries.ts';
import { parsePreferences } from '../accounts/preferences.ts';
import { DEFAULT_ZONE } from './reckon-zone.ts';
import type { Ctx } from '../context.ts';

/** The person's own time zone, for listens that name none. */
export async function zoneOf(ctx: Pick<Ctx, 'db'>, user_id: string): Promise<string> {
  const json = await findPreferencesJson(ctx.db, user_id);
  return (json === null ? null : parsePreferences(json).time_zone) ?? DEFAULT_ZONE;
}
