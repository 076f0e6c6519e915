import { LOCAL_ISSUER } from '../accounts/ensure-user.ts';
import { foldUsername } from '../accounts/accounts.rules.ts';
import { beginsWith } from '../like.ts';
import { notFound } from '../errors.ts';
import { cutPage, readCursor } from '../page.ts';
import { epochSeconds } from '../ports.ts';
import { presentAdminUser } from './admin.present.ts';
import type { AdminUser, listUsers as endpoint } from '#contract/admin.ts';
import type { Input, Reply } from '#contract/endpoint.ts';
import type { Ctx } from '../context.ts';

/** Rows of people as administrators see them: the list and a single reply are the same query. */
function people(ctx: Ctx) {
  const now = epochSeconds(ctx.clock);
  return ctx.db
    .selectFrom('users')
    .innerJoin('user_profiles', 'user_profiles.user_id', 'users.id')
    .leftJoin('local_accounts', (join) =>
      join.onRef('local_accounts.id', '=', 'users.subject').on('users.issuer', '=', LOCAL_ISSUER),
    )
    .select([
      'users.id',
      'users.username',
      'users.username_key',
      'users.display_name',
      'users.email',
      'users.role',
      'users.provider_role',
      'users.is_active',
      'users.created_at',
      'users.last_active',
      'users.issuer',
      'user_profiles.avatar_url',
      'local_accounts.totp_confirmed_at',
    ])
    .select((eb) =>
      eb
        .selectFrom('user_sessions')
        .select((count) => count.fn.countAll().as('count'))
        .whereRef('user_sessions.user_id', '=', 'users.id')
        .where('user_sessions.expires_at', '>', now)
        .as('session_count'),
    );
}

/** [AD2] Everybody, disabled or not, by username. `q` is the beginning of a username or display name. */
export async function listUsers(
  ctx: Ctx,
  { limit, cursor, q, role, is_active }: Input<typeof endpoint>,
): Promise<Reply<typeof endpoint>> {
  const after = readCursor<[string]>(cursor, ['string']);
  let query = people(ctx);
  if (after !== null) query = query.where('users.username_key', '>', after[0]);
  if (role !== undefined) query = query.where('users.role', '=', role);
  if (is_active !== undefined) query = query.where('users.is_active', '=', is_active ? 1 : 0);
  if (q !== undefined && q !== '') {
    query = query.where((eb) =>
      eb.or([
        beginsWith(eb.ref('users.username_key'), foldUsername(q)),
        beginsWith(eb.fn<string>('lower', ['users.display_name']), q.toLowerCase()),
        // SQLite knows capitals of ASCII only: a name that begins with another is looked for as it is written.
        beginsWith(eb.ref('users.display_name'), q.charAt(0).toUpperCase() + q.slice(1)),
      ]),
    );
  }
  const found = await query
    .orderBy('users.username_key')
    .limit(limit + 1)
    .execute();
  const { rows, next_cursor } = cutPage(found, limit, (row) => [row.username_key]);
  return { items: rows.map(presentAdminUser), next_cursor };
}

/** One person as administrators see them. @throws DomainError `not_found` */
export async function readUser(ctx: Ctx, user_id: string): Promise<AdminUser> {
  const row = await people(ctx).where('users.id', '=', user_id).executeTakeFirst();
  if (row === undefined) throw notFound('person');
  return presentAdminUser(row);
}
