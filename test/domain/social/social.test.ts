import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { updateProfile } from '#domain/accounts/update-profile.ts';
import { followUser, unfollowUser } from '#domain/social/follow-user.ts';
import { canSee, sightsOf } from '#domain/social/social.access.ts';
import { findPeople, followers, followingPage, personByName } from '#domain/social/social.queries.ts';
import { person, testCtx } from '../../support/ctx.ts';
import { DIALECTS } from '../../support/dialects.ts';
import type { PrivacyLevel } from '#contract/accounts.ts';
import type { Actor } from '#domain/context.ts';
import type { VisibleKind } from '#domain/social/social.access.ts';
import type { TestCtx } from '../../support/ctx.ts';
import type { TestDatabase } from '../../support/dialects.ts';

const RELATIONS = ['self', 'none', 'follows', 'followed', 'mutual'] as const;
type Relation = (typeof RELATIONS)[number];
const LEVELS = [0, 1, 2] as const;
const KINDS = ['profile', 'presence', 'listening', 'history'] as const satisfies VisibleKind[];

/** Contract §6 in its own words, by hand. */
function mayFor(level: PrivacyLevel, shares: boolean, relation: Relation, kind: VisibleKind): boolean {
  if (relation === 'self') return true;
  if ((kind === 'listening' || kind === 'history') && !shares) return false;
  if (level === 2) return true;
  return level === 1 && relation === 'mutual';
}
const MATRIX = LEVELS.flatMap((level) =>
  [false, true].flatMap((shares) =>
    RELATIONS.flatMap((relation) => KINDS.map((kind) => ({ level, shares, relation, kind }))),
  ),
);

test.each(MATRIX)('[SO2] level $level, sharing $shares, $relation: $kind', ({ level, shares, relation, kind }) => {
  const sight = {
    is_self: relation === 'self',
    privacy_level: level,
    share_listening_history: shares ? 1 : 0,
    shows_presence: true,
    is_private: false,
    follows: relation === 'follows' || relation === 'mutual',
    followed_back: relation === 'followed' || relation === 'mutual',
  };
  expect(canSee(sight, kind)).toBe(mayFor(level, shares, relation, kind));
});

describe.each(DIALECTS)('people on $name', (dialect) => {
  let database: TestDatabase;
  let ctx: TestCtx;
  let ana: Actor;
  let ben: Actor;
  beforeAll(async () => {
    database = await dialect.open();
  });
  afterAll(() => database.close());
  beforeEach(async () => {
    await database.close();
    database = await dialect.open();
    ctx = testCtx(database);
    [ana, ben] = [await person(ctx, 'ana'), await person(ctx, 'ben')];
  });
  const code = (promise: Promise<unknown>) =>
    promise.then(
      () => 'taken',
      (error: { code?: string }) => error.code,
    );
  const disable = (actor: Actor) =>
    ctx.write((trx) => trx.updateTable('users').set({ is_active: 0 }).where('id', '=', actor.user_id).execute());

  test('[SO2] what the database says of two people is what the rule is asked', async () => {
    for (const relation of RELATIONS.filter((one) => one !== 'self')) {
      for (const level of LEVELS) {
        for (const shares of [false, true]) {
          await unfollowUser(ctx, ana, { user_id: ben.user_id });
          await unfollowUser(ctx, ben, { user_id: ana.user_id });
          if (relation === 'follows' || relation === 'mutual') await followUser(ctx, ana, { user_id: ben.user_id });
          if (relation === 'followed' || relation === 'mutual') await followUser(ctx, ben, { user_id: ana.user_id });
          await updateProfile(ctx, ben, { privacy_level: level, share_listening_history: shares } as never);
          const sights = await sightsOf(ctx, ana.user_id, [ben.user_id, ana.user_id, ctx.ids.id()]);
          expect([...sights.keys()].sort()).toEqual([ana.user_id, ben.user_id].sort());
          for (const kind of KINDS) {
            expect([relation, level, shares, kind, canSee(sights.get(ben.user_id)!, kind)]).toEqual([
              relation,
              level,
              shares,
              kind,
              mayFor(level, shares, relation, kind),
            ]);
            expect(canSee(sights.get(ana.user_id)!, kind)).toBe(true);
          }
          const shown = await personByName(ctx, ana, { username: 'BEN' });
          expect(shown.profile !== null).toBe(mayFor(level, shares, relation, 'profile'));
        }
      }
    }
    await disable(ben);
    expect((await sightsOf(ctx, ana.user_id, [ben.user_id])).size).toBe(0);
    expect((await sightsOf(ctx, ana.user_id, [])).size).toBe(0);
  });

  test('[SO1] to follow twice is to follow once; not oneself, not nobody, not the disabled', async () => {
    await followUser(ctx, ana, { user_id: ben.user_id });
    await followUser(ctx, ana, { user_id: ben.user_id });
    expect(ctx.happened.filter((event) => event.name === 'follow.created')).toHaveLength(1);
    await unfollowUser(ctx, ana, { user_id: ben.user_id });
    await unfollowUser(ctx, ana, { user_id: ben.user_id });
    expect(ctx.happened.filter((event) => event.name === 'follow.removed')).toHaveLength(1);
    expect(await code(followUser(ctx, ana, { user_id: ana.user_id }))).toBe('unprocessable');
    expect(await code(followUser(ctx, ana, { user_id: ctx.ids.id() }))).toBe('not_found');
    await disable(ben);
    expect(await code(followUser(ctx, ana, { user_id: ben.user_id }))).toBe('not_found');
    await Promise.all(Array.from({ length: 10 }, () => followUser(ctx, ben, { user_id: ana.user_id })));
    expect(await ctx.db.selectFrom('user_follows').selectAll().execute()).toHaveLength(1);
  });

  test('[SO1] following and followers are paged without gap or double, the disabled left out', async () => {
    const others: Actor[] = [];
    for (let i = 0; i < 11; i++) {
      if (i % 3 === 0) ctx.clock.advance(1_000);
      const other = await person(ctx, `other${i}`);
      others.push(other);
      await followUser(ctx, ana, { user_id: other.user_id });
      await followUser(ctx, other, { user_id: ana.user_id });
    }
    await disable(others[4]!);
    const expected = others
      .filter((_other, i) => i !== 4)
      .map((other) => other.user_id)
      .sort();
    const following: string[] = [];
    const mine: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await followingPage(ctx, ana, { limit: 3, cursor });
      following.push(...page.people.map(({ user }) => user.id));
      cursor = page.next_cursor ?? undefined;
    } while (cursor !== undefined);
    do {
      const page = await followers(ctx, ana, { limit: 3, cursor });
      mine.push(...page.items.map((item) => item.id));
      expect(page.items.every((item) => item.i_follow)).toBe(true);
      cursor = page.next_cursor ?? undefined;
    } while (cursor !== undefined);
    expect(following.sort()).toEqual(expected);
    expect(mine.sort()).toEqual(expected);
  });

  test('[SO4] search: by the beginning from three characters on; the private, and short ones, by the whole name only', async () => {
    const [open, hidden, short] = [await person(ctx, 'marlene'), await person(ctx, 'marvin'), await person(ctx, 'mo')];
    const odd = await person(ctx, 'a_b');
    const gone = await person(ctx, 'martin');
    await updateProfile(ctx, hidden, { privacy_level: 0 } as never);
    await updateProfile(ctx, open, { display_name: 'Änne Meyer' } as never);
    await disable(gone);
    const find = async (q: string) =>
      (await findPeople(ctx, ana, { q, limit: 50 })).items.map((item) => item.username).sort();
    expect(await find('mar')).toEqual(['marlene']);
    expect(await find('MAR')).toEqual(['marlene']);
    expect(await find('ma')).toEqual([]);
    expect(await find('marvin')).toEqual(['marvin']);
    expect(await find('marvi')).toEqual([]);
    expect(await find('mo')).toEqual([short.username]);
    expect(await find('martin')).toEqual([]);
    expect(await find('änne')).toEqual(['marlene']);
    expect(await find('Änne M')).toEqual(['marlene']);
    for (const pattern of ['%%%', '___', 'm%e', 'mar%', '\\\\\\', "' or 1=1 --", 'a%b'])
      expect([pattern, await find(pattern)]).toEqual([pattern, []]);
    expect(await find('a_b')).toEqual([odd.username]);
    expect((await findPeople(ctx, ana, { q: 'marvin', limit: 5 })).items[0]).toMatchObject({
      profile: null,
      is_me: false,
    });
    expect(JSON.stringify(await findPeople(ctx, ana, { q: 'marlene', limit: 5 }))).not.toContain('email');
    expect(await code(personByName(ctx, ana, { username: 'martin' }))).toBe('not_found');
  });
});
