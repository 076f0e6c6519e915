import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createPlaylist } from '#domain/playlists/create-playlist.ts';
import { setCollaborator } from '#domain/playlists/collaborators.ts';
import { blockUser, unblockUser } from '#domain/social/block-user.ts';
import { followUser } from '#domain/social/follow-user.ts';
import { sightsOf } from '#domain/social/social.access.ts';
import { blockedPeople, findPeople } from '#domain/social/social.queries.ts';
import { person, testCtx } from '../../support/ctx.ts';
import { DIALECTS } from '../../support/dialects.ts';
import type { Actor } from '#domain/context.ts';
import type { TestCtx } from '../../support/ctx.ts';
import type { TestDatabase } from '../../support/dialects.ts';

describe.each(DIALECTS)('a block on $name', (dialect) => {
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
  const refused = (code: string) => expect.objectContaining({ code });

  test('[SO10-4] who blocked sees whom, newest first and page by page; who is blocked sees nobody', async () => {
    const cleo = await person(ctx, 'cleo');
    await blockUser(ctx, ana, ben);
    ctx.clock.advance(1000);
    await blockUser(ctx, ana, cleo);
    const first = await blockedPeople(ctx, ana, { limit: 1 });
    expect(first.items).toMatchObject([{ id: cleo.user_id, username: 'cleo' }]);
    const rest = await blockedPeople(ctx, ana, { limit: 1, cursor: first.next_cursor! });
    expect([rest.items[0]?.id, rest.next_cursor]).toEqual([ben.user_id, null]);
    expect((await blockedPeople(ctx, ben, { limit: 50 })).items).toEqual([]);
    await unblockUser(ctx, ana, cleo);
    expect((await blockedPeople(ctx, ana, { limit: 50 })).items.map(({ id }) => id)).toEqual([ben.user_id]);
  });

  test('[SO10-1] ends follows both ways and memberships of each other’s lists; neither is there for the other', async () => {
    await followUser(ctx, ana, ben);
    await followUser(ctx, ben, ana);
    const list = await createPlaylist(ctx, ana, {
      name: 'List',
      description: '',
      is_public: false,
      is_collaborative: true,
    });
    await setCollaborator(ctx, ana, { id: list.id, user_id: ben.user_id, role: 'editor' });
    ctx.happened.length = 0;
    await blockUser(ctx, ana, ben);
    await blockUser(ctx, ana, ben);
    expect(ctx.happened.map(({ name }) => name)).toEqual([
      'follow.removed',
      'follow.removed',
      'playlist.member_changed',
      'block.created',
    ]);
    for (const table of ['user_follows', 'playlist_collaborators'] as const) {
      expect(await ctx.db.selectFrom(table).selectAll().execute()).toEqual([]);
    }
    for (const [one, other] of [
      [ana, ben],
      [ben, ana],
    ] as const) {
      expect((await sightsOf(ctx, one.user_id, [other.user_id])).size).toBe(0);
      expect((await findPeople(ctx, one, { q: other.username, limit: 20 })).items).toEqual([]);
      await expect(followUser(ctx, one, other)).rejects.toEqual(refused('not_found'));
    }
    await expect(setCollaborator(ctx, ana, { id: list.id, user_id: ben.user_id, role: 'editor' })).rejects.toEqual(
      refused('not_found'),
    );
    await unblockUser(ctx, ben, ana);
    expect((await sightsOf(ctx, ana.user_id, [ben.user_id])).size).toBe(0);
    await unblockUser(ctx, ana, ben);
    await unblockUser(ctx, ana, ben);
    expect((await sightsOf(ctx, ana.user_id, [ben.user_id])).size).toBe(1);
  });

  test('[SO10-1] not oneself, not nobody, and not whoever has blocked one first', async () => {
    await expect(blockUser(ctx, ana, ana)).rejects.toEqual(refused('unprocessable'));
    await expect(blockUser(ctx, ana, { user_id: ctx.ids.id() })).rejects.toEqual(refused('not_found'));
    await blockUser(ctx, ben, ana);
    await expect(blockUser(ctx, ana, ben)).rejects.toEqual(refused('not_found'));
    await Promise.all([unblockUser(ctx, ben, ana), unblockUser(ctx, ben, ana)]);
    expect(await ctx.db.selectFrom('user_blocks').selectAll().execute()).toEqual([]);
  });
});
