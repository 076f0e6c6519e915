import { foldUsername } from '../accounts/accounts.rules.ts';
import { usersByIds } from '../accounts/accounts.queries.ts';
import { notFound } from '../errors.ts';
import { beginsWith } from '../like.ts';
import { cutPage, readCursor } from '../page.ts';
import { canSee, isBlocked, sightsOf } from './social.access.ts';
import type { getPerson, listBlocked, listFollowers, searchUsers } from '#contract/social.ts';
import type { Input, Reply } from '#contract/endpoint.ts';
import type { User } from '#contract/accounts.ts';
import type { Actor, Ctx } from '../context.ts';
import type { Schema } from '../database.ts';
import type { Kysely } from 'kysely';

/** Shorter beginnings of a name find nobody but the person of exactly that name. */
const SEARCH_MIN = 3;

export async function followeeIds(db: Kysely<Schema>, user_id: string): Promise<string[]> {
  const rows = await db.selectFrom('user_follows').select('following_id').where('follower_id', '=', user_id).execute();
  return rows.map((row) => row.following_id);
}

export async function followerIds(db: Kysely<Schema>, user_id: string): Promise<string[]> {
  const rows = await db.selectFrom('user_follows').select('follower_id').where('following_id', '=', user_id).execute();
  return rows.map((row) => row.follower_id);
}

interface PeopleWay {
  /** The column of the person asking. */
  mine: 'follower_id' | 'following_id';
  /** The column of the people listed. */
  theirs: 'follower_id' | 'following_id';
}

async function peoplePage(
  ctx: Ctx,
  actor: Actor,
  { limit, cursor }: { limit: number; cursor?: string | undefined },
  { mine, theirs }: PeopleWay,
) {
  const after = readCursor<[number, string]>(cursor);
  let query = ctx.db
    .selectFrom('user_follows')
    .innerJoin('users', 'users.id', `user_follows.${theirs}`)
    .select(['users.id as user_id', 'user_follows.created_at'])
    .where(`user_follows.${mine}`, '=', actor.user_id)
    .where('users.is_active', '=', 1)
    .orderBy('user_follows.created_at', 'desc')
    .orderBy('users.id', 'desc')
    .limit(limit + 1);
  if (after !== null) {
    const [created_at, id] = after;
    query = query.where((eb) =>
      eb.or([
        eb('user_follows.created_at', '<', created_at),
        eb.and([eb('user_follows.created_at', '=', created_at), eb('users.id', '<', id)]),
      ]),
    );
  }
  const { rows, next_cursor } = cutPage(await query.execute(), limit, (row) => [row.created_at, row.user_id]);
  const ids = rows.map((row) => row.user_id);
  const [users, sights] = [await usersByIds(ctx.db, ids), await sightsOf(ctx, actor.user_id, ids)];
  const people = rows.flatMap((row) => {
    const user = users.get(row.user_id);
    const sight = sights.get(row.user_id);
    return user === undefined || sight === undefined ? [] : [{ user, sight, followed_at: row.created_at }];
  });
  return { people, next_cursor };
}

/** People the actor follows, newest first, with what the actor is to them. */
export function followingPage(ctx: Ctx, actor: Actor, input: { limit: number; cursor?: string | undefined }) {
  return peoplePage(ctx, actor, input, { mine: 'follower_id', theirs: 'following_id' });
}

/** People who follow me, newest first. */
export async function followers(
  ctx: Ctx,
  actor: Actor,
  input: Input<typeof listFollowers>,
): Promise<Reply<typeof listFollowers>> {
  const { people, next_cursor } = await peoplePage(ctx, actor, input, { mine: 'following_id', theirs: 'follower_id' });
  return {
    items: people.map(({ user, sight, followed_at }) => ({ ...user, i_follow: sight.follows, followed_at })),
    next_cursor,
  };
}

/** People the actor has blocked, newest first: only here are they not as if not there. */
export async function blockedPeople(
  ctx: Ctx,
  actor: Actor,
  input: Input<typeof listBlocked>,
): Promise<Reply<typeof listBlocked>> {
  const after = readCursor<[number, string]>(input.cursor);
  const found = await ctx.db
    .selectFrom('user_blocks')
    .select(['blocked_id', 'created_at'])
    .where('blocker_id', '=', actor.user_id)
    .$if(after !== null, (query) =>
      query.where((eb) =>
        eb(eb.refTuple('created_at', 'blocked_id'), '<', eb.tuple(after?.[0] ?? 0, after?.[1] ?? '')),
      ),
    )
    .orderBy('created_at', 'desc')
    .orderBy('blocked_id', 'desc')
    .limit(input.limit + 1)
    .execute();
  const { rows, next_cursor } = cutPage(found, input.limit, (row) => [row.created_at, row.blocked_id]);
  const users = await usersByIds(
    ctx.db,
    rows.map((row) => row.blocked_id),
  );
  return {
    items: rows.flatMap(({ blocked_id, created_at }) => {
      const user = users.get(blocked_id);
      return user === undefined ? [] : [{ ...user, blocked_at: created_at }];
    }),
    next_cursor,
  };
}

async function presentPeople(ctx: Ctx, actor: Actor, ids: readonly string[]) {
  const [users, sights] = [await usersByIds(ctx.db, ids), await sightsOf(ctx, actor.user_id, ids)];
  const profiles = new Map(
    ids.length === 0
      ? []
      : (
          await ctx.db
            .selectFrom('user_profiles')
            .select(['user_id', 'bio', 'location', 'website'])
            .where('user_id', 'in', ids)
            .execute()
        ).map((row) => [row.user_id, row]),
  );
  return ids.flatMap((id) => {
    const user: User | undefined = users.get(id);
    const sight = sights.get(id);
    if (user === undefined || sight === undefined) return [];
    const profile = profiles.get(id);
    const shown = profile !== undefined && canSee(sight, 'profile');
    return [
      {
        ...user,
        is_me: sight.is_self,
        i_follow: sight.follows,
        follows_me: sight.followed_back,
        profile: shown ? { bio: profile.bio, location: profile.location, website: profile.website } : null,
      },
    ];
  });
}

/** [SO4] People by the beginning of their username; private people, and short queries, by the exact username only. */
export async function findPeople(
  ctx: Ctx,
  actor: Actor,
  { q, limit }: Input<typeof searchUsers>,
): Promise<Reply<typeof searchUsers>> {
  const key = foldUsername(q);
  const found = await ctx.db
    .selectFrom('users')
    .innerJoin('user_profiles', 'user_profiles.user_id', 'users.id')
    .select('users.id')
    .where('users.is_active', '=', 1)
    .where((eb) => eb.not(isBlocked(actor.user_id, 'users.id')))
    .where((eb) => {
      const exact = eb('users.username_key', '=', key);
      if (key.length < SEARCH_MIN) return exact;
      return eb.or([
        exact,
        eb.and([
          eb('user_profiles.privacy_level', '>', 0),
          eb.or([
            beginsWith(eb.ref('users.username_key'), key),
            beginsWith(eb.fn<string>('lower', ['users.display_name']), q.toLowerCase()),
            // SQLite knows capitals of ASCII only: a name that begins with another is looked for as it is written.
            beginsWith(eb.ref('users.display_name'), q.charAt(0).toUpperCase() + q.slice(1)),
          ]),
        ]),
      ]);
    })
    .orderBy('users.username_key')
    .limit(limit)
    .execute();
  const items = await presentPeople(
    ctx,
    actor,
    found.map((row) => row.id),
  );
  return { items, next_cursor: null };
}

/** One person by username. @throws DomainError not_found */
export async function personByName(
  ctx: Ctx,
  actor: Actor,
  { username }: Input<typeof getPerson>,
): Promise<Reply<typeof getPerson>> {
  const row = await ctx.db
    .selectFrom('users')
    .select('id')
    .where('username_key', '=', foldUsername(username))
    .where('is_active', '=', 1)
    .executeTakeFirst();
  const person = row === undefined ? undefined : (await presentPeople(ctx, actor, [row.id]))[0];
  if (person === undefined) throw notFound('person');
  return person;
}
