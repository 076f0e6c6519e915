/** A world with people of every relation to one of them, and the things they may or may not touch: what the access table is tried on. */
import { createHash } from 'node:crypto';
import { createApiToken } from '#domain/accounts/api-tokens.ts';
import { setAvatar } from '#domain/accounts/avatars.ts';
import { seeDevice } from '#domain/accounts/devices.ts';
import { createSession } from '#domain/accounts/sessions.ts';
import { listenNewsStatements } from '#domain/feed/listen-news.ts';
import { createInvite } from '#domain/admin/invites.ts';
import { setCover } from '#domain/playlists/covers.ts';
import { hashSecret, newIds } from '#server/ids.ts';
import { makeLibrary, makePng } from './music/make-track.ts';
import { putTracks } from './room.ts';
import { openWorld } from './world.ts';
import type { Role } from '#contract/accounts.ts';
import type { Playlist } from '#contract/playlists.ts';
import type { Scope } from '#contract/security.ts';
import type { Relation } from '#domain/access-matrix.ts';
import type { Actor } from '#domain/context.ts';
import type { Schema } from '#domain/database.ts';
import type { TestDialect } from './dialects.ts';
import type { StartOptions } from './server.ts';
import type { Someone, World } from './world.ts';

/** Everybody but nobody, who has no name. */
export type PersonRelation = Exclude<Relation, 'nobody'>;

export interface Scene {
  world: World;
  /** Whose everything is. */
  owner: Someone;
  people: Record<PersonRelation, Someone>;
  /** Somebody else, to be named beside a thing. */
  other: Someone;
  track_id: string;
  album_id: string;
  artist_id: string;
  /** An access token of a person, with a role. */
  tokenOf(person: Someone, role: Role): Promise<string>;
  /** A personal API token; kept, so that its use is noted before anything is compared. */
  apiTokenOf(person: Someone, scopes: readonly Scope[]): Promise<string>;
  /** The cookie of a session that an outside provider gave a role. */
  cookieOf(person: Someone, role: Role): Promise<string>;
  /** A person nobody else is tried with. */
  newcomer(): Promise<Someone>;
  /** A fresh list of the owner's with an editor, a viewer and one entry. */
  list(state: string): Promise<string>;
  entryOf(list_id: string): string;
  /** An open invitation to a list. */
  inviteOf(list_id: string): string;
  /** A checkpoint of a list. */
  checkpointOf(list_id: string): string;
  /** The code of an invitation to a fresh list of the owner's. */
  inviteCode(): Promise<string>;
  /** A fresh list of the owner's with a picture. */
  listWithCover(state: string): Promise<string>;
  session(): Promise<string>;
  apiToken(): Promise<string>;
  device(): Promise<string>;
  /** A picture of the owner's, in place of an earlier one. */
  avatar(): Promise<string>;
  /** An invitation to the house. */
  invite(): Promise<string>;
  /** A track with the owner's heart. */
  favorite(): Promise<string>;
  /** A playback of the owner's that counted. */
  playback(): Promise<string>;
  /** An item of the feed, of the owner's. */
  news(): Promise<string>;
  /** A job of the owner's that is over. */
  job(): Promise<string>;
  /** Puts follows and the block back as they belong. */
  settle(): Promise<void>;
  /** Changes when any row of any table does. */
  checksum(): Promise<string>;
}

const HOUR = 3600;

export async function openScene(dialect: TestDialect, options: Partial<StartOptions> = {}): Promise<Scene> {
  const world = await openWorld(dialect, options);
  const { ctx } = world.server;
  makeLibrary(ctx.files.musicDirs[0]!, {
    'one.mp3': { title: 'One', artist: 'Artist', album: 'Album', seconds: 1, cover: makePng(96, '#336699') },
  });
  world.server.scanner.start();
  await world.server.scanner.whenIdle();
  const track = await ctx.db.selectFrom('tracks').select(['id', 'album_id', 'artist_id']).executeTakeFirstOrThrow();

  const owner = await world.someone('ola');
  const people: Record<PersonRelation, Someone> = {
    self: owner,
    owner,
    editor: await world.someone('edith'),
    viewer: await world.someone('victor'),
    friend: await world.someone('frida'),
    follower: await world.someone('finn'),
    stranger: await world.someone('selma'),
    blocked: await world.someone('boris'),
  };
  const other = await world.someone('oskar');
  const kept = new Map<string, Promise<string>>();
  const keep = (key: string, make: () => Promise<string>) => {
    const known = kept.get(key) ?? make();
    kept.set(key, known);
    return known;
  };
  const entries = new Map<string, string>();
  const invites = new Map<string, string>();
  const checkpoints = new Map<string, string>();
  const ownerActor: Actor = {
    user_id: owner.id,
    username: owner.username,
    role: 'user',
    provider_role: null,
    credential: { kind: 'token', sid: null, issued_at: 0, expires_at: 0, auth_time: null },
  };
  let newcomers = 0;

  const scene: Scene = {
    world,
    owner,
    people,
    other,
    track_id: track.id,
    album_id: track.album_id!,
    artist_id: track.artist_id!,
    tokenOf: (person, role) =>
      keep(`${person.id} ${role}`, () =>
        world.issuer.issueAccessToken(
          { sub: `sub-${person.username}`, username: person.username, roles: [role] },
          { exp: Math.floor(Date.now() / 1000) + HOUR },
        ),
      ),
    apiTokenOf: (person, scopes) =>
      keep(`${person.id} ${scopes.join(' ')}`, async () => {
        const { token } = await createApiToken(ctx, person.id, { name: 'script', scopes });
        await fetch(`${world.url}/api/v1/auth/profile`, { headers: { authorization: `Bearer ${token}` } });
        return token;
      }),
    async cookieOf(person, role) {
      const secret = newIds.secret();
      await createSession(ctx, {
        user_id: person.id,
        secret_hash: hashSecret(secret),
        provider_sid: null,
        realm_role: role,
        device: 'test',
        auth_time: Math.floor(Date.now() / 1000),
        replaces_secret_hash: null,
      });
      return `sbm_session=${secret}`;
    },
    newcomer: () => world.someone(`newcomer${++newcomers}`),
    async list(state) {
      const { id } = await owner.rest.post<Playlist>('/playlists', { name: 'List', is_public: state === 'public' });
      const { entry_ids } = await owner.rest.post<{ entry_ids: string[] }>(`/playlists/${id}/tracks`, {
        track_ids: [track.id],
      });
      for (const role of ['editor', 'viewer'] as const) {
        await owner.rest.put(`/playlists/${id}/collaborators/${people[role].id}`, { role });
      }
      entries.set(id, entry_ids[0]!);
      const { id: invite_id } = await owner.rest.post<{ id: string }>(`/playlists/${id}/invites`, { role: 'editor' });
      invites.set(id, invite_id);
      const checkpoint_id = newIds.id();
      checkpoints.set(id, checkpoint_id);
      await ctx.write((trx) =>
        trx
          .insertInto('playlist_checkpoints')
          .values({
            id: checkpoint_id,
            playlist_id: id,
            reason: 'hourly',
            user_id: owner.id,
            name: 'Before',
            description: '',
            places_json: '[]',
            track_count: 0,
            created_at: 1,
          })
          .execute(),
      );
      return id;
    },
    inviteOf: (list_id) => invites.get(list_id) ?? newIds.id(),
    checkpointOf: (list_id) => checkpoints.get(list_id) ?? newIds.id(),
    async inviteCode() {
      const { id } = await owner.rest.post<Playlist>('/playlists', { name: 'List' });
      const { code } = await owner.rest.post<{ code: string }>(`/playlists/${id}/invites`, { role: 'editor' });
      return code;
    },
    async listWithCover(state) {
      const id = await scene.list(state);
      await setCover(ctx, ownerActor, id, Buffer.from('a picture'));
      return id;
    },
    // Of a list that is not there it does not matter which.
    entryOf: (list_id) => entries.get(list_id) ?? newIds.id(),
    session: async () => (await world.signIn(owner)).session_id,
    async apiToken() {
      const { id } = await createApiToken(ctx, owner.id, { name: 'to be revoked', scopes: ['read'] });
      return id;
    },
    async device() {
      const device_id = newIds.id();
      await seeDevice(ctx, ownerActor, { device_id, name: 'radio' });
      const row = await ctx.db
        .selectFrom('user_devices')
        .select('id')
        .where('device_id', '=', device_id)
        .executeTakeFirstOrThrow();
      return row.id;
    },
    async avatar() {
      const { avatar_url } = await setAvatar(ctx, ownerActor, Buffer.from('a picture'));
      return avatar_url!.split('/').at(-1)!;
    },
    async invite() {
      const made = await createInvite(ctx, ownerActor, { role: 'user', expires_in: HOUR }, { hasLocalAccounts: true });
      return made.id;
    },
    async favorite() {
      const [track_id = ''] = await putTracks(ctx, 1);
      await owner.rest.post('/favorites', { track_id });
      return track_id;
    },
    async playback() {
      const { session_id } = await owner.rest.post<{ session_id: string }>('/listen/start', {
        track_id: track.id,
        source: 'api',
      });
      await ctx.write((trx) =>
        trx.updateTable('listening_sessions').set({ counted: 1 }).where('id', '=', session_id).execute(),
      );
      return session_id;
    },
    async news() {
      await owner.rest.put('/user/profile', { share_listening_history: true });
      const session_id = await scene.playback();
      await ctx.writeUnit(listenNewsStatements(ctx, { session_id, user_id: owner.id }));
      const item = await ctx.db
        .selectFrom('feed_items')
        .select('id')
        .where('session_id', '=', session_id)
        .executeTakeFirstOrThrow();
      return item.id;
    },
    async job() {
      const id = newIds.id();
      await ctx.write((trx) =>
        trx
          .insertInto('jobs')
          .values({
            ...{ id, user_id: owner.id, kind: 'listen_import', state: 'done', title: 'Import', payload_json: '{}' },
            ...{ report_json: null, done: 1, total: 1, problem: null, attempts: 0, due_at_ms: 0, lease: null },
            ...{ lease_ends_at_ms: null, created_at: 1, started_at: 1, finished_at: Math.floor(Date.now() / 1000) },
          })
          .execute(),
      );
      return id;
    },
    async settle() {
      await world.server.scanner.whenIdle();
      await world.server.jobs.whenIdle();
      const pairs = [
        [people.friend.id, owner.id],
        [owner.id, people.friend.id],
        [people.follower.id, owner.id],
      ] as const;
      await ctx.write(async (trx) => {
        await trx.deleteFrom('user_follows').execute();
        await trx
          .insertInto('user_follows')
          .values(pairs.map(([follower_id, following_id]) => ({ follower_id, following_id, created_at: 1 })))
          .execute();
        await trx.deleteFrom('user_blocks').execute();
        await trx
          .insertInto('user_blocks')
          .values({ blocker_id: owner.id, blocked_id: people.blocked.id, created_at: 1 })
          .execute();
      });
    },
    async checksum() {
      tables ??= (await ctx.db.introspection.getTables())
        .map((table) => table.name as keyof Schema)
        // Logs of lists are folded when nobody has them open; whatever is added to one raises the list's version too.
        .filter((table) => table !== 'playlist_updates')
        .sort();
      const hash = createHash('sha256');
      for (const table of tables) {
        const rows = await ctx.db.selectFrom(table).selectAll().execute();
        hash.update(table).update(JSON.stringify(rows.map((row) => JSON.stringify(row)).sort()));
      }
      return hash.digest('hex');
    },
  };
  let tables: (keyof Schema)[] | null = null;
  await scene.settle();
  return scene;
}
