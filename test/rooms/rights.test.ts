/** Rights that change while somebody has a list open, seen from the registry of rooms. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type * as Y from 'yjs';
import { metaOf } from '#contract/playlist-doc.ts';
import { createPlaylist } from '#domain/playlists/create-playlist.ts';
import { createPlaylistRooms } from '#rooms/playlist/registry.ts';
import { person, testCtx } from '../support/ctx.ts';
import { DIALECTS } from '../support/dialects.ts';
import { handUpdate, syncFrame } from '../support/yjs-bytes.ts';
import type { CloseReason } from '#contract/close-codes.ts';
import type { MemberRole } from '#contract/playlists.ts';
import type { Actor } from '#domain/context.ts';
import type { Peer, Seat } from '#rooms/playlist/playlist-room.ts';
import type { KyselyPlugin } from 'kysely';
import type { TestCtx } from '../support/ctx.ts';
import type { TestDatabase } from '../support/dialects.ts';

describe.each(DIALECTS)('rights in an open list on $name', (dialect) => {
  let database: TestDatabase;
  let ctx: TestCtx;
  let ana: Actor;
  let ben: Actor;
  let client = 4_294_000_000;
  /** What the next answer of the database has to wait for, or that it does not come. */
  let hold: ((number: number) => Promise<void>) | null = null;
  let answers = 0;
  beforeAll(async () => {
    database = await dialect.open();
    const plugin: KyselyPlugin = {
      transformQuery: ({ node }) => node,
      async transformResult({ result }) {
        await hold?.(answers++);
        return result;
      },
    };
    ctx = testCtx(database);
    ctx.db = database.db.withPlugin(plugin);
    [ana, ben] = [await person(ctx, 'ana'), await person(ctx, 'ben')];
  });
  afterAll(() => database.close());

  const setRole = (playlist_id: string, role: MemberRole) =>
    ctx.write((trx) =>
      trx
        .insertInto('playlist_collaborators')
        .values({ playlist_id, user_id: ben.user_id, role, added_at: 1, added_by_user_id: ana.user_id })
        .onConflict((conflict) => conflict.columns(['playlist_id', 'user_id']).doUpdateSet({ role }))
        .execute(),
    );
  async function open(role: MemberRole) {
    const { id } = await createPlaylist(ctx, ana, {
      name: 'List',
      description: '',
      is_public: false,
      is_collaborative: true,
    });
    await setRole(id, role);
    const rooms = createPlaylistRooms(() => ctx);
    const closed: CloseReason[] = [];
    const peer: Peer = {
      actor: () => ben,
      identity: { id: ben.user_id, name: 'ben', color: '#000000' },
      send() {},
      close: (reason) => void closed.push(reason),
    };
    const seat = (await rooms.join(id, role, () => peer)) as Seat;
    const rename = (name: string) =>
      seat.receive(
        syncFrame(
          2,
          handUpdate([{ client: client++, clock: 0, structs: [{ any: [name], at: { root: 'meta', key: 'name' } }] }]),
        ),
      );
    const name = () => rooms.transact(id, ana.user_id, (doc: Y.Doc) => metaOf(doc).get('name'));
    return { id, rooms, closed, seat, rename, name };
  }

  test('[GW26] a right read before a change never overrides the one read after it', async () => {
    const { id, rooms, closed, rename, name } = await open('editor');
    const { promise: late, resolve: release } = Promise.withResolvers<void>();
    answers = 0;
    // The first look has read "editor", and its answer is slow to come.
    hold = (number) => (number === 0 ? late : Promise.resolve());
    const first = rooms.recheck(id);
    await expect.poll(() => answers).toBe(1);
    await setRole(id, 'viewer');
    const second = rooms.recheck(id);
    // Long enough for the second look to have overtaken the first, if it could.
    for (let n = 0; n < 50; n++) await new Promise((resolve) => setImmediate(resolve));
    release();
    await Promise.all([first, second]);
    hold = null;
    rename('by a viewer');
    expect(await name()).toBe('List');
    expect(closed).toEqual(['access_withdrawn']);
    await rooms.close();
  });

  test('[GW26] when rights cannot be looked up, everybody is to come again rather than to stay', async () => {
    const { id, rooms, closed } = await open('editor');
    hold = () => Promise.reject(new Error('the database is away'));
    await expect(rooms.recheck(id)).rejects.toThrow('away');
    hold = null;
    expect(closed).toEqual(['restart']);
    await rooms.close();
  });

  test('[GW25] what is in the queue of somebody who has left is not looked at any more', async () => {
    const { rooms, seat, rename, name } = await open('editor');
    rename('taken');
    await seat.settled();
    expect(await name()).toBe('taken');
    for (let n = 0; n < 20; n++) rename(`queued ${n}`);
    seat.leave();
    expect(await name()).toBe('taken');
    await rooms.close();
  });
});
