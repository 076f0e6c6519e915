import { setImmediate as turnOfTheLoop } from 'node:timers/promises';
import * as Y from 'yjs';
import { entriesOf, MAX_DOCUMENT_BYTES, MAX_UPDATE_BYTES, metaOf, orderOf } from '#contract/playlist-doc.ts';
import {
  appendUpdate,
  COMPACT_AFTER_ROWS,
  compactLog,
  isListThere,
  loadLog,
  RightsWithdrawnError,
  SupersededError,
} from '#domain/playlists/playlist-log.ts';
import { CHECKPOINT_EVERY_SECONDS, isMassRemoval } from '#domain/playlists/checkpoints.ts';
import { isBroken } from '#domain/playlists/document.ts';
import { trackLengths } from '#domain/library/library.queries.ts';
import { DomainError, notFound } from '#domain/errors.ts';
import { epochSeconds } from '#domain/ports.ts';
import { editDocument, showAwareness } from '#contract/playlists.ts';
import { listVerdict } from '#domain/playlists/playlists.access.ts';
import { ledgerEntries } from '#domain/playlists/playlists.queries.ts';
import { createAwarenessStates } from './awareness.ts';
import { holdDocument } from './held-document.ts';
import { createTokenBucket } from '../token-bucket.ts';
import { decodeFrame, encodeAwareness, encodeStep1, encodeStep2, encodeUpdate } from './protocol.ts';
import { Gap, judge, knowsAny, namesAny, readUpdate, Refusal, wasEverSet } from './referee.ts';
import { LARGE_UPDATE_BYTES, vetUpdate } from './vetting.ts';
import type { CloseReason } from '#contract/close-codes.ts';
import type { EntryTextValue, EntryValue } from '#contract/playlist-doc.ts';
import type { ChangeKind, PlaylistRole } from '#contract/playlists.ts';
import type { Actor, Ctx } from '#domain/context.ts';
import type { NewCheckpoint } from '#domain/playlists/checkpoints.ts';
import type { Beside, EditMore, PlaylistAct } from '#domain/ports.ts';
import type { Append, ChangeFact } from '#domain/playlists/playlist-log.ts';
import type { PlacedEntry } from '#domain/playlists/project-tracks.ts';
import type { KnownList } from '#domain/playlists/turn-statements.ts';
import type { Rate, TokenBucket } from '../token-bucket.ts';
import type { Identity } from './awareness.ts';
import type { Knowledge, Place, Reading, Verdict } from './referee.ts';

/** One socket in a room, seen from the room. */
export interface Peer {
  /** Read anew for each frame. */
  actor(): Actor;
  identity: Identity;
  send(frame: Uint8Array, more?: { isWhole?: boolean }): void;
  close(reason: CloseReason): void;
}

/** A peer's place in a room. */
export interface Seat {
  receive(frame: Uint8Array): void;
  leave(): void;
  /** Counts from the next frame; null: not any more. */
  setRole(role: PlaylistRole | null): void;
  /** Resolves once the turn under way is stored: what was taken before this moment, and nothing later. */
  settled(): Promise<void>;
}

/** One live playlist: its document, its connections, its referee and its log. */
export interface PlaylistRoom {
  /** Of the document it holds. */
  readonly epoch: number;
  join(peer: Peer, role: PlaylistRole): Seat;
  /** Edits as `user_id`; resolves once stored, together with what goes `beside`, and passed on. */
  transact<T>(user_id: string, edit: (doc: Y.Doc) => T, more?: EditMore): Promise<T>;
  peers(): { peer: Peer; seat: Seat }[];
  isEmpty(): boolean;
  closePeers(reason: CloseReason): void;
  /** As a seat's. */
  settled(): Promise<void>;
  /** Waits for what is being stored, folds the log when it is long, and frees the document. */
  unload(): Promise<void>;
}

/** What one person's socket may send. */
export interface RoomRates {
  updates: Rate;
  otherFrames: Rate;
}

/** Of the others: a client asks for the document once a connection and says where it edits a few times a second. */
const RATES: RoomRates = {
  updates: { per_second: 30, burst: 100 },
  otherFrames: { per_second: 20, burst: 60 },
};
/** Being sent the document, or everybody's awareness, costs as much as so many frames. */
const WHOLE_COST = 5;

type Work =
  | { kind: 'update'; member: Member; bytes: Uint8Array; isSync: boolean }
  | { kind: 'step1'; member: Member; stateVector: Uint8Array }
  | {
      kind: 'edit';
      user_id: string;
      edit: (doc: Y.Doc) => unknown;
      act: PlaylistAct | null;
      beside: Beside | undefined;
      resolve(value: unknown): void;
      reject(error: unknown): void;
    };

/** A type of a document, as a transaction names it. */
type AnyType = Parameters<Y.Transaction['changed']['set']>[0];

/** What a room does for its members. */
interface Keeper {
  receive(member: Member, frame: Uint8Array): void;
  leave(member: Member): void;
  settled(): Promise<void>;
}

/** A connection in a room; one object, because there are many. */
class Member implements Seat {
  hasLeft = false;
  /** Its answer to our step 1 was taken: from now on it sends nothing that builds on what we lack. */
  hasSynced = false;
  role: PlaylistRole | null;
  readonly peer: Peer;
  readonly updates: TokenBucket;
  readonly otherFrames: TokenBucket;
  readonly #keeper: Keeper;
  constructor(
    peer: Peer,
    role: PlaylistRole,
    { updates, otherFrames }: { updates: TokenBucket; otherFrames: TokenBucket },
    keeper: Keeper,
  ) {
    this.peer = peer;
    this.role = role;
    this.updates = updates;
    this.otherFrames = otherFrames;
    this.#keeper = keeper;
  }
  receive(frame: Uint8Array): void {
    this.#keeper.receive(this, frame);
  }
  leave(): void {
    this.#keeper.leave(this);
  }
  setRole(next: PlaylistRole | null): void {
    this.role = next;
    if (next === null) this.peer.close('access_withdrawn');
  }
  settled(): Promise<void> {
    return this.#keeper.settled();
  }
}

/** What a place of the document held before it was changed. */
type Was = { key: string } & (
  { root: 'entries'; was: EntryValue | undefined } | { root: 'order' | 'meta'; was: string | undefined }
);

/** What one turn changed, as far as storage and peers need it. */
interface Turn {
  updates: Uint8Array[];
  /** Entries set, placed or taken away: by whom first, and what they were before the turn. */
  touched: Map<string, { by: string; before: EntryValue | undefined }>;
  metaTouched: Set<string>;
  users: Set<string>;
  authors: Set<Member>;
  clients: Map<number, string>;
  /** By person and kind. */
  facts: Map<string, ChangeFact>;
  /** Entries that were not in the list before. */
  added: Set<string>;
  act: PlaylistAct | null;
  edits: { work: Extract<Work, { kind: 'edit' }>; value: unknown }[];
  /** Of those edits that changed something. */
  besides: Beside[];
}

/** An update and what it says. */
interface Read {
  work: Extract<Work, { kind: 'update' }>;
  reading: Reading;
}

function isNothing({ decoded: { structs, ds } }: Reading): boolean {
  return structs.length === 0 && ds.clients.size === 0;
}

/** What of a turn the rows of the list follow from. */
interface Placed {
  upserted: PlacedEntry[];
  removed: string[];
  /** Entries the list has now and had not before, and those it lost, with their tracks. */
  gained: { tracks: number; track_ids: string[] };
  lost: { tracks: number; track_ids: string[] };
}

/** Whether a client says that it has nothing. */
function isEmpty(stateVector: Uint8Array): boolean {
  return stateVector.byteLength === 1 && stateVector[0] === 0;
}

/**
 * Loads a playlist's document and opens its room. `onBroken` is called when storing failed: the document in memory is then
 * ahead of the one on disk, so the room must be thrown away and loaded anew; `onLeft` whenever somebody has left.
 * @throws DomainError not_found; any storage error. A document that cannot be loaded is never taken for an empty one.
 */
export async function openPlaylistRoom(
  ctx: Ctx,
  playlist_id: string,
  onBroken: () => void,
  rates: Partial<RoomRates> = {},
  onLeft: () => void = () => undefined,
): Promise<PlaylistRoom> {
  const { updates: updateRate, otherFrames: otherRate } = { ...RATES, ...rates };
  const log = await loadLog(ctx, playlist_id);
  const { epoch, retired } = log;
  let { checkpointed_at } = log;
  let clients = log.clients;
  let known: KnownList = { owner_id: log.owner_id, version: log.version };
  let seq = log.last_seq;
  let rows = log.updates.length;
  let storedBytes = log.updates.reduce((sum, bytes) => sum + bytes.byteLength, 0);
  /** Tracks the library has, with their seconds. */
  const knownTracks = new Map<string, number>();
  const members = new Set<Member>();
  const awareness = createAwarenessStates();
  let queue: Work[] = [];
  let running: Promise<void> | null = null;
  let currentTurn: Promise<void> = Promise.resolve();
  let isClosed = false;

  let turn: Turn | null = null;
  /** Who the transaction being applied belongs to, and what it is as a whole. */
  let author = '';
  let isOwnEdit = false;
  let act: PlaylistAct | null = null;
  const onUpdate = (bytes: Uint8Array) => turn?.updates.push(bytes);
  /** [PL26] Keeps what an edit of the server's did, as people see it. */
  const onTransaction = (transaction: Y.Transaction) => {
    if (turn === null || !isOwnEdit) return;
    const before: Was[] = [];
    for (const [root, type] of [
      ['entries', entriesOf(held.doc)],
      ['order', orderOf(held.doc)],
      ['meta', metaOf(held.doc)],
    ] as const) {
      if (!transaction.changed.has(type as unknown as AnyType)) continue;
      const { keys } = new Y.YEvent(type as unknown as AnyType, transaction);
      for (const [key, { action, oldValue }] of keys) {
        before.push({ root, key, was: (action === 'add' ? undefined : oldValue) as never });
      }
    }
    note(turn, before);
  };

  /** What places of the document hold. */
  function lookAt(places: readonly Place[]): Was[] {
    return places.map(({ root, key }): Was => {
      if (root === 'entries') return { root, key, was: entriesOf(held.doc).get(key) };
      if (root === 'order') return { root, key, was: orderOf(held.doc).get(key) };
      return { root, key, was: metaOf(held.doc).get(key as 'name') };
    });
  }

  /** [PL26] Keeps what became of what was there before, as people see it. */
  function note(current: Turn, before: readonly Was[]): void {
    const [values, places] = [entriesOf(held.doc), orderOf(held.doc)];
    for (const { root, key, was } of before) {
      if (root !== 'entries') continue;
      if (!current.touched.has(key)) current.touched.set(key, { by: author, before: was });
      const isThere = values.has(key);
      if (was === undefined && isThere) {
        current.added.add(key);
        factOf(current, 'added').entry_ids.push(key);
      } else if (was !== undefined && !isThere) factOf(current, 'removed').entry_ids.push(key);
    }
    // After the entries: a place of one that was just added is no move.
    for (const { root, key, was } of before) {
      if (root === 'entries') continue;
      if (root === 'meta') {
        noteWord(current, key, was);
        continue;
      }
      // The first to touch it in a turn: who adds an entry is who added it, though another moved it at once.
      if (!current.touched.has(key)) current.touched.set(key, { by: author, before: values.get(key) });
      const is = places.get(key);
      if (is === undefined || is === was || current.added.has(key) || !values.has(key)) continue;
      const { entry_ids } = factOf(current, act?.kind ?? 'moved');
      if (entry_ids.at(-1) !== key) entry_ids.push(key);
    }
  }

  /** Keeps that the list has another name or description. */
  function noteWord(current: Turn, key: string, was: string | undefined): void {
    current.metaTouched.add(key);
    const words = metaOf(held.doc);
    if (words.get(key as 'name') === was) return;
    if (key === 'name') {
      const fact = factOf(current, 'renamed');
      const from = fact.details?.from ?? was ?? '';
      fact.details = { from, to: words.get('name') ?? '' };
    } else if (key === 'description') factOf(current, 'described');
  }

  function factOf(current: Turn, kind: ChangeKind): ChangeFact {
    const key = `${author} ${kind}`;
    const fact = current.facts.get(key) ?? {
      kind,
      user_id: author,
      entry_ids: [],
      details: kind === act?.kind ? act.details : null,
    };
    current.facts.set(key, fact);
    return fact;
  }
  const held = holdDocument(log.updates, (doc) => {
    doc.on('update', onUpdate);
    doc.on('afterTransaction', onTransaction);
  });

  /**
   * A turn was not stored because some of its authors may not edit any more: the document goes back to what is on disk, which
   * is all that anybody else has seen, those authors leave, and the others' part of the turn is taken again.
   * @returns false when it cannot be loaded now
   */
  async function withdraw(user_ids: ReadonlySet<string>, works: readonly Work[]): Promise<boolean> {
    ctx.log.info('an edit came after its right was withdrawn', { playlist_id });
    try {
      const stored = await loadLog(ctx, playlist_id);
      if (stored.epoch !== epoch) throw new SupersededError();
      held.reload(stored.updates);
      clients = stored.clients;
      storedBytes = stored.updates.reduce((sum, bytes) => sum + bytes.byteLength, 0);
    } catch (error) {
      ctx.log.error('a playlist could not be loaded again', { playlist_id }, error);
      return false;
    }
    const isTheirs = (work: Work) =>
      user_ids.has(work.kind === 'edit' ? work.user_id : work.member.peer.actor().user_id);
    const lost = new DomainError('forbidden', 'You may not change this playlist any more.');
    for (const work of works) if (work.kind === 'edit' && isTheirs(work)) work.reject(lost);
    for (const member of [...members]) {
      if (!user_ids.has(member.peer.actor().user_id)) continue;
      member.role = null;
      member.peer.close('access_withdrawn');
    }
    queue = [...works.filter((work) => !isTheirs(work)), ...queue];
    return true;
  }

  function emit(frame: Uint8Array, except?: Member): void {
    for (const member of members) if (member !== except) member.peer.send(frame);
  }

  function refuse(member: Member, refusal: Refusal): void {
    ctx.log.info('playlist update refused', { playlist_id, reason: refusal.reason, detail: refusal.message });
    // Nothing it sent after that counts either, though it may still arrive.
    member.role = null;
    member.peer.close(refusal.reason);
  }

  /** Whatever bytes make the referee stumble are the sender's fault, never the room's end. */
  function judgeSafely(reading: Reading, knowledge: Knowledge): Verdict {
    try {
      return judge(held.doc, reading, knowledge);
    } catch (error) {
      if (error instanceof Refusal) throw error;
      throw new Refusal('malformed', error instanceof Error ? error.name : 'unreadable');
    }
  }

  /** [PL30] A copy of an earlier epoch must not put back what was taken out of the document. */
  const superseded = () => new Refusal('superseded', 'a copy of an earlier epoch');

  /** [PL4] Takes one update into the document in memory, if the referee allows it. */
  function applyUpdate(current: Turn, { work, reading }: Read, knowledge: Omit<Knowledge, 'user_id'>): void {
    const { member, bytes } = work;
    if (member.hasLeft || member.role === null) return;
    const actor = member.peer.actor();
    // Whoever has nothing of their own says so as they open: no reason to take in a large document.
    if (isNothing(reading)) return;
    if (namesAny(reading, retired)) throw superseded();
    const { adds, newClients, touched } = judgeSafely(reading, { ...knowledge, user_id: actor.user_id });
    // Every client sends its state when it opens; one that adds nothing is no edit, whoever sends it.
    if (!adds) return;
    if (listVerdict(actor, editDocument, member.role) !== 'yes')
      throw new Refusal('access_withdrawn', 'an edit by somebody who may only read');
    if (storedBytes + bytes.byteLength > MAX_DOCUMENT_BYTES) {
      storedBytes = Y.encodeStateAsUpdate(held.doc).byteLength;
      if (storedBytes + bytes.byteLength > MAX_DOCUMENT_BYTES) {
        throw new Refusal('too_large', 'a playlist document holds at most 8 MiB');
      }
    }
    author = actor.user_id;
    const before = lookAt(touched);
    try {
      Y.applyUpdate(held.doc, bytes, member);
    } catch (error) {
      // Final for its sender, who would otherwise come back with it again and again.
      refuse(member, new Refusal('malformed', 'could not be taken in'));
      throw error;
    }
    note(current, before);
    for (const client_id of newClients) {
      clients.set(client_id, actor.user_id);
      current.clients.set(client_id, actor.user_id);
    }
    current.users.add(actor.user_id);
    current.authors.add(member);
  }

  /** Large updates are read elsewhere first. Who sent one that does not pass is refused, with all they sent in this turn. */
  async function vetLarge(works: readonly Work[]): Promise<void> {
    for (const work of works) {
      if (work.kind !== 'update' || work.bytes.byteLength <= LARGE_UPDATE_BYTES) continue;
      if (work.member.hasLeft || work.member.role === null) continue;
      // Said at once of what is larger than any may be.
      if (work.bytes.byteLength > MAX_UPDATE_BYTES) continue;
      try {
        await vetUpdate(work.bytes);
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        refuse(work.member, error);
      }
    }
  }

  /** Reads what a turn's updates say. Who sent bytes that cannot be read is refused. */
  function readAll(works: readonly Work[]): Map<Work, Read> {
    const all = new Map<Work, Read>();
    for (const work of works) {
      if (work.kind !== 'update' || work.member.hasLeft || work.member.role === null) continue;
      try {
        all.set(work, { work, reading: readUpdate(work.bytes) });
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        refuse(work.member, error);
      }
    }
    return all;
  }

  /** Takes updates that came in one after another, in one transaction: each is judged on what those before it made of the document. */
  function applyUpdates(current: Turn, reads: readonly Read[], knowledge: Omit<Knowledge, 'user_id'>): void {
    const applyAll = () => {
      for (const read of reads) {
        const { member, isSync } = read.work;
        try {
          applyUpdate(current, read, knowledge);
        } catch (error) {
          if (!(error instanceof Refusal)) throw error;
          // Edited right after a reconnect, on top of offline edits that come with its first sync: that will hold this too.
          const isEarly = error instanceof Gap && !member.hasSynced && !isSync;
          if (!isEarly) refuse(member, error);
        }
        member.hasSynced ||= isSync;
        if (held.clientID !== null && isBroken(held.doc)) {
          refuse(member, new Refusal('malformed', 'left a gap'));
          throw new Error('the referee let an update pass that leaves a gap');
        }
      }
    };
    if (reads.every(({ reading }) => isNothing(reading))) applyAll();
    else held.doc.transact(applyAll);
  }

  function applyEdit(current: Turn, work: Extract<Work, { kind: 'edit' }>): void {
    author = work.user_id;
    act = work.act;
    const before = current.updates.length;
    isOwnEdit = true;
    try {
      const value = held.doc.transact(() => work.edit(held.doc), work);
      current.edits.push({ work, value });
    } catch (error) {
      work.reject(error);
    } finally {
      if (current.updates.length > before) {
        current.users.add(work.user_id);
        if (act !== null) factOf(current, act.kind);
        current.act ??= act;
      }
      act = null;
      isOwnEdit = false;
    }
    if (work.beside !== undefined && current.updates.length > before) current.besides.push(work.beside);
  }

  function placed(current: Turn): Placed {
    const [values, places] = [entriesOf(held.doc), orderOf(held.doc)];
    const all: Placed = {
      upserted: [],
      removed: [],
      gained: { tracks: 0, track_ids: [] },
      lost: { tracks: 0, track_ids: [] },
    };
    for (const [entry_id, { by: set_by, before }] of current.touched) {
      const value = values.get(entry_id);
      if (value === undefined) all.removed.push(entry_id);
      else {
        const { track_id, text = null } = value;
        all.upserted.push({ entry_id, track_id, text, order_key: places.get(entry_id) ?? null, set_by });
      }
      if ((value === undefined) === (before === undefined)) continue;
      const side = value === undefined ? all.lost : all.gained;
      const track_id = (value ?? before)?.track_id;
      side.tracks++;
      if (typeof track_id === 'string') side.track_ids.push(track_id);
    }
    return all;
  }

  /** What a list gains by a turn: entries, and seconds of music. */
  async function countedOf({ gained, lost }: Placed): Promise<Append['counted']> {
    await learn([...gained.track_ids, ...lost.track_ids]);
    const seconds = (track_ids: readonly string[]) =>
      track_ids.reduce((sum, track_id) => sum + (knownTracks.get(track_id) ?? 0), 0);
    return { tracks: gained.tracks - lost.tracks, seconds: seconds(gained.track_ids) - seconds(lost.track_ids) };
  }

  async function learn(track_ids: Iterable<string>): Promise<void> {
    const unknown = new Set<string>();
    for (const track_id of track_ids) if (!knownTracks.has(track_id)) unknown.add(track_id);
    if (unknown.size === 0) return;
    const lengths = await trackLengths(ctx.db, [...unknown]);
    for (const { id, duration } of lengths.values()) knownTracks.set(id, duration ?? 0);
  }

  /** [PL27] Whether the list is to be kept as it was before a turn, and why. */
  function checkpointBefore(current: Turn, removed: number, now: number): NewCheckpoint | null {
    const user_id = current.users.size === 1 ? [...current.users][0]! : null;
    if (current.act !== null) return { ...current.act.checkpoint, user_id };
    const isMass = [...current.facts.values()].some(
      (fact) => fact.kind === 'removed' && isMassRemoval(fact.entry_ids.length, () => sizeBefore(current, removed)),
    );
    if (isMass) return { id: ctx.ids.id(), reason: 'before_removal', user_id };
    const isDue = now - checkpointed_at >= CHECKPOINT_EVERY_SECONDS;
    return isDue ? { id: ctx.ids.id(), reason: 'hourly', user_id } : null;
  }

  /** Counting a map walks it, which an edit that removes little need not pay for. */
  function sizeBefore(current: Turn, removed: number): number {
    return entriesOf(held.doc).size + removed - current.added.size;
  }

  /** What the referee must know of the world, looked up once for a whole turn. */
  async function lookUp(reads: Iterable<Read>): Promise<Omit<Knowledge, 'user_id'>> {
    const track_ids = new Set<string>();
    const entry_ids = new Set<string>();
    for (const { reading } of reads) {
      for (const id of reading.track_ids) track_ids.add(id);
      // In the first epoch the ledger knows no entry that was never in the document.
      for (const id of reading.entry_ids) if (epoch > 1 || wasEverSet(held.doc, id)) entry_ids.add(id);
    }
    await learn(track_ids);
    const rows = entry_ids.size === 0 ? [] : await ledgerEntries(ctx.db, playlist_id, [...entry_ids]);
    const ledger = new Map(rows.map((row) => [row.entry_id, row]));
    return {
      ownerOfClient: (client_id) => clients.get(client_id),
      trackExists: (track_id) => knownTracks.has(track_id),
      ledgerEntry(entry_id) {
        const row = ledger.get(entry_id);
        if (row === undefined) return undefined;
        return {
          track_id: row.track_id,
          text: row.text_json === null ? null : (JSON.parse(row.text_json) as EntryTextValue),
        };
      },
    };
  }

  /** Takes everything that came in since the last turn: judge and apply, store once, then tell everybody at once. */
  async function runTurn(works: Work[]): Promise<void> {
    const current: Turn = {
      updates: [],
      touched: new Map(),
      metaTouched: new Set(),
      users: new Set(),
      authors: new Set(),
      clients: new Map(),
      facts: new Map(),
      added: new Set(),
      act: null,
      edits: [],
      besides: [],
    };
    await vetLarge(works);
    const reads = readAll(works);
    const knowledge = await lookUp(reads.values());
    turn = current;
    try {
      let run: Read[] = [];
      for (const work of works) {
        const read = reads.get(work);
        if (read !== undefined) run.push(read);
        if (work.kind !== 'edit') continue;
        applyUpdates(current, run, knowledge);
        run = [];
        applyEdit(current, work);
      }
      applyUpdates(current, run, knowledge);
    } finally {
      turn = null;
    }
    if (current.updates.length > 0) {
      const bytes = current.updates.length === 1 ? current.updates[0]! : Y.mergeUpdates(current.updates);
      const name = current.metaTouched.has('name') ? metaOf(held.doc).get('name') : undefined;
      const description = current.metaTouched.has('description')
        ? (metaOf(held.doc).get('description') ?? '')
        : undefined;
      const change = placed(current);
      const { upserted, removed } = change;
      const now = epochSeconds(ctx.clock);
      const checkpoint = checkpointBefore(current, removed.length, now);
      const append: Append = {
        playlist_id,
        epoch,
        seq: seq + 1,
        bytes,
        user_ids: current.users,
        clients: [...current.clients].map(([client_id, user_id]) => ({ client_id, user_id })),
        facts: [...current.facts.values()],
        checkpoint,
        change: {
          upserted,
          removed,
          ...(name === undefined || name === '' ? {} : { name }),
          ...(description === undefined ? {} : { description }),
        },
        counted: await countedOf(change),
        besides: current.besides,
      };
      known = await appendUpdate(ctx, append, known);
      if (checkpoint !== null) checkpointed_at = now;
      seq += 1;
      rows += 1;
      storedBytes += bytes.byteLength;
      // A sole author has all of it already.
      const sole = current.authors.size === 1 && current.edits.length === 0 ? [...current.authors][0] : undefined;
      const frame = encodeUpdate(bytes);
      held.told(frame);
      emit(frame, sole);
    }
    for (const { work, value } of current.edits) work.resolve(value);
    for (const work of works) {
      if (work.kind === 'step1' && !work.member.hasLeft) answerStep1(work.member, work.stateVector);
    }
  }

  function answerStep1(member: Member, stateVector: Uint8Array): void {
    try {
      if (isEmpty(stateVector)) for (const frame of held.whole()) member.peer.send(frame, { isWhole: true });
      else member.peer.send(encodeStep2(Y.encodeStateAsUpdate(held.doc, stateVector)), { isWhole: true });
    } catch (error) {
      ctx.log.info('unreadable state vector', { playlist_id, kind: error instanceof Error ? error.name : '' });
      member.peer.close('malformed');
    }
  }

  async function drain(): Promise<void> {
    try {
      while (queue.length > 0) {
        // What comes while others' turns are on their way to the disk goes with this one.
        await ctx.turnToWrite();
        const works = queue;
        queue = [];
        try {
          const turnDone = runTurn(works);
          // Whoever waits for it wants to know that it is over, not how.
          currentTurn = turnDone.catch(() => undefined);
          await turnDone;
        } catch (error) {
          if (error instanceof RightsWithdrawnError && (await withdraw(error.user_ids, works))) continue;
          isClosed = true;
          // Deleted while an edit was on its way to it: that is no fault, and nothing to come back for.
          const isGone = !(await isListThere(ctx, playlist_id).catch(() => true));
          const reason = isGone ? 'not_found' : error instanceof SupersededError ? 'superseded' : 'restart';
          breakDown([...works, ...queue], isGone ? notFound('playlist') : error, reason);
          return;
        }
        if (rows > COMPACT_AFTER_ROWS && !(await compact())) {
          isClosed = true;
          breakDown(queue, new SupersededError(), 'superseded');
          return;
        }
      }
    } finally {
      // In the same step as the last look at the queue: whoever pushes next must start anew.
      running = null;
    }
  }

  function breakDown(works: readonly Work[], error: unknown, reason: 'not_found' | 'superseded' | 'restart'): void {
    if (reason !== 'restart') ctx.log.info('an edit of a playlist that is no more', { playlist_id, reason });
    else ctx.log.error('a playlist could not be stored', { playlist_id }, error);
    queue = [];
    const failure =
      error instanceof DomainError
        ? error
        : new DomainError('unavailable', 'The playlist could not be stored. Try again.', {
            cause: error,
            retryAfter: 1,
          });
    for (const work of works) if (work.kind === 'edit') work.reject(failure);
    for (const { peer } of [...members]) peer.close(reason);
    onBroken();
  }

  /** @returns false when the document was begun anew, so that this one is not to be stored */
  async function compact(): Promise<boolean> {
    const snapshot = Y.encodeStateAsUpdate(held.doc);
    try {
      await compactLog(ctx, { playlist_id, epoch, seq }, snapshot);
      rows = 1;
      storedBytes = snapshot.byteLength;
    } catch (error) {
      if (error instanceof SupersededError) return false;
      // The long log is still whole; the next turn tries again.
      ctx.log.warn('a playlist log could not be compacted', {
        playlist_id,
        kind: error instanceof Error ? error.name : '',
      });
    }
    return true;
  }

  function push(work: Work): void {
    if (isClosed) {
      if (work.kind === 'edit')
        work.reject(new DomainError('unavailable', 'This playlist is being closed. Try again.', { retryAfter: 1 }));
      return;
    }
    queue.push(work);
    // What other sockets have sent by now is read first, and goes with it.
    running ??= turnOfTheLoop().then(drain);
  }

  function requirePace(bucket: TokenBucket, cost = 1): void {
    if (!bucket.take(ctx.clock.nowMs(), cost)) throw new Refusal('too_fast', 'too many frames a second');
  }

  function receive(member: Member, data: Uint8Array): void {
    if (member.hasLeft || member.role === null) return;
    try {
      const frame = decodeFrame(data);
      if (frame.kind === 'update') requirePace(member.updates);
      else requirePace(member.otherFrames, frame.kind === 'step1' || frame.kind === 'query' ? WHOLE_COST : 1);
      switch (frame.kind) {
        case 'step1':
          if (retired.size > 0 && knowsAny(frame.stateVector, retired)) throw superseded();
          push({ kind: 'step1', member, stateVector: frame.stateVector });
          return;
        case 'update':
          push({ kind: 'update', member, bytes: frame.bytes, isSync: frame.isSync });
          return;
        case 'awareness': {
          if (listVerdict(member.peer.actor(), showAwareness, member.role) !== 'yes') return;
          // Sent back to its sender too: the stock client counts on hearing something every 30 s.
          const told = awareness.take(member, member.peer.identity, frame.entries, (client_id) => {
            const owner = clients.get(client_id);
            return client_id !== held.clientID && (owner === undefined || owner === member.peer.identity.id);
          });
          if (told.length > 0) emit(encodeAwareness(told));
          return;
        }
        case 'query':
          member.peer.send(encodeAwareness(awareness.all()));
          return;
        case 'unknown':
          return;
      }
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      refuse(member, error);
    }
  }

  const keeper: Keeper = {
    receive,
    leave(member) {
      if (member.hasLeft) return;
      member.hasLeft = true;
      members.delete(member);
      const told = awareness.leave(member);
      if (told.length > 0) emit(encodeAwareness(told));
      onLeft();
    },
    settled: () => currentTurn,
  };

  return {
    join(peer, role) {
      const nowMs = ctx.clock.nowMs();
      const member = new Member(
        peer,
        role,
        { updates: createTokenBucket(updateRate, nowMs), otherFrames: createTokenBucket(otherRate, nowMs) },
        keeper,
      );
      members.add(member);
      peer.send(encodeStep1(held.stateVector()));
      const states = awareness.all();
      if (states.length > 0) peer.send(encodeAwareness(states));
      return member;
    },
    epoch,
    transact<T>(user_id: string, edit: (target: Y.Doc) => T, more: EditMore = {}) {
      return new Promise<T>((resolve, reject) => {
        push({
          kind: 'edit',
          user_id,
          edit,
          act: more.act ?? null,
          beside: more.beside,
          resolve: resolve as (value: unknown) => void,
          reject,
        });
      });
    },
    peers: () => [...members].map((member) => ({ peer: member.peer, seat: member })),
    isEmpty: () => members.size === 0 && queue.length === 0 && running === null,
    closePeers(reason) {
      for (const member of [...members]) member.peer.close(reason);
    },
    settled: () => currentTurn,
    async unload() {
      isClosed = true;
      while (running !== null) await running;
      if (rows > 1) await compact();
      held.destroy();
    },
  };
}
