/** A playlist room on a real database with peers that write down what reaches them, and honest clients of it. */
import * as decoding from 'lib0/decoding';
import * as Y from 'yjs';
import { readList } from '#contract/playlist-doc.ts';
import { setCollaborator } from '#domain/playlists/collaborators.ts';
import { createPlaylist } from '#domain/playlists/create-playlist.ts';
import { playlistTracks } from '#domain/playlists/playlists.queries.ts';
import { openPlaylistRoom } from '#rooms/playlist/playlist-room.ts';
import { person, testCtx } from './ctx.ts';
import { syncFrame } from './yjs-bytes.ts';
import type { CloseReason } from '#contract/close-codes.ts';
import type { PlaylistRole } from '#contract/playlists.ts';
import type { Actor } from '#domain/context.ts';
import type { Ctx } from '#domain/context.ts';
import type { Peer, PlaylistRoom, Seat } from '#rooms/playlist/playlist-room.ts';
import type { TestCtx } from './ctx.ts';
import type { TestDatabase } from './dialects.ts';

/** Puts tracks into the library, without files. @returns their ids */
export async function putTracks(
  ctx: Pick<Ctx, 'ids' | 'write'>,
  count: number,
  more: { duration?: number | null } = {},
): Promise<string[]> {
  const ids = Array.from({ length: count }, () => ctx.ids.id());
  await ctx.write(async (trx) => {
    for (const [i, id] of ids.entries()) {
      await trx
        .insertInto('tracks')
        .values({
          id,
          library_root: '/music',
          track_path: `${id}.flac`,
          title: `Track ${i}`,
          artist: null,
          album: null,
          album_artist: null,
          genre: null,
          year: null,
          track_number: null,
          disc_number: null,
          duration: more.duration === undefined ? 100 : more.duration,
          codec: null,
          container: null,
          album_id: null,
          artist_id: null,
          cover_hash: null,
          cover_source: null,
          audio_hash: id,
          file_size_bytes: 1,
          file_mtime_ms: 1,
          search_text: '',
          title_sort: '',
          artist_sort: '',
          album_sort: '',
          added_at: 1,
          updated_at: 1,
          missing_since: null,
        })
        .execute();
    }
  });
  return ids;
}

export interface FakePeer {
  peer: Peer;
  seat: Seat;
  frames: Uint8Array[];
  closed: CloseReason | null;
}

/** An honest client's copy of the document, joined to a seat without a socket. */
export interface HonestClient {
  doc: Y.Doc;
  fake: FakePeer;
  /** Takes what came and answers as the stock client does. */
  pump(): void;
  /** Leaves the room; the document goes on by itself. */
  disconnect(): void;
}

export interface RoomKit {
  ctx: TestCtx;
  room: PlaylistRoom;
  playlist_id: string;
  ana: Actor;
  ben: Actor;
  tracks: string[];
  broken: number;
  join(actor: Actor, role: PlaylistRole): FakePeer;
  /** Everything taken so far is judged, stored and told. */
  settled(): Promise<void>;
  /** State vector and content of the document, as one string to compare. */
  state(): Promise<string>;
  honest(actor: Actor, role: PlaylistRole, doc?: Y.Doc): Promise<HonestClient>;
  /** Throws the room away and loads it anew. */
  reopen(): Promise<void>;
  /** What REST shows, as [entry id, track id]. */
  rows(): Promise<[string, string | null][]>;
  list(): Promise<[string, string | null][]>;
}

/** Opens a room of a fresh playlist that `ana` owns and `ben` may edit. */
export async function roomKit(database: TestDatabase, suffix: string | number = ''): Promise<RoomKit> {
  const ctx = testCtx(database);
  const [ana, ben] = [await person(ctx, `ana${suffix}`), await person(ctx, `ben${suffix}`)];
  const tracks = await putTracks(ctx, 5);
  const { id: playlist_id } = await createPlaylist(ctx, ana, {
    name: 'List',
    description: '',
    is_public: false,
    is_collaborative: true,
  });
  await setCollaborator(ctx, ana, { id: playlist_id, user_id: ben.user_id, role: 'editor' });
  const kit: RoomKit = {
    ctx,
    room: undefined as never,
    playlist_id,
    ana,
    ben,
    tracks,
    broken: 0,
    join(actor, role) {
      const fake: FakePeer = { frames: [], closed: null, seat: undefined as never, peer: undefined as never };
      fake.peer = {
        actor: () => actor,
        identity: { id: actor.user_id, name: actor.username, color: '#000000' },
        send: (frame) => void fake.frames.push(frame),
        close(reason) {
          fake.closed ??= reason;
        },
      };
      fake.seat = kit.room.join(fake.peer, role);
      return fake;
    },
    async settled() {
      await kit.room.transact(ana.user_id, () => {});
    },
    state: () =>
      kit.room.transact(
        ana.user_id,
        (doc) =>
          `${Buffer.from(Y.encodeStateVector(doc)).toString('hex')} ${Buffer.from(Y.encodeStateAsUpdate(doc)).toString('hex')}`,
      ),
    async honest(actor, role, doc = new Y.Doc()) {
      const fake = kit.join(actor, role);
      const client: HonestClient = {
        doc,
        fake,
        pump() {
          for (const frame of fake.frames.splice(0)) {
            const decoder = decoding.createDecoder(frame);
            if (decoding.readVarUint(decoder) !== 0) continue;
            const step = decoding.readVarUint(decoder);
            const bytes = decoding.readVarUint8Array(decoder);
            if (step === 0) fake.seat.receive(syncFrame(1, Y.encodeStateAsUpdate(doc, bytes)));
            else Y.applyUpdate(doc, bytes, fake);
          }
        },
        disconnect() {
          doc.off('update', onUpdate);
          fake.seat.leave();
        },
      };
      const onUpdate = (bytes: Uint8Array, origin: unknown) => {
        if (origin !== fake) fake.seat.receive(syncFrame(2, bytes));
      };
      doc.on('update', onUpdate);
      fake.seat.receive(syncFrame(0, Y.encodeStateVector(doc)));
      client.pump();
      await kit.settled();
      client.pump();
      return client;
    },
    async reopen() {
      // A broken room is ahead of the disk: it is thrown away, as the registry does.
      if (kit.broken === 0) await kit.room.unload();
      kit.broken = 0;
      kit.room = await open();
    },
    async rows() {
      const { items } = await playlistTracks(ctx, ana, { id: playlist_id, limit: 200 });
      return items.map((row) => [row.entry_id, row.track_id]);
    },
    list: () => kit.room.transact(ana.user_id, (doc) => readList(doc).map((row) => [row.entry_id, row.track_id])),
  };
  const open = () => openPlaylistRoom(ctx, playlist_id, () => kit.broken++);
  kit.room = await open();
  return kit;
}
