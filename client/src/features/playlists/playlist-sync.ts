/**
 * One open playlist document: the stock y-websocket line, my edits with their undo, and what others changed. Loaded
 * lazily, because it brings Yjs. No runes in here: the state class listens and keeps what views draw.
 */
import { WebsocketProvider } from 'y-websocket';
import * as Y from 'yjs';
import {
  addEntries,
  entriesOf,
  metaOf,
  moveEntries,
  orderOf,
  readList,
  removeEntries,
} from '#contract/playlist-doc.ts';
import { ServerMoves } from './server-moves.ts';
import type { EntryValue, ListEntry } from '#contract/playlist-doc.ts';
import type { Move } from './server-moves.ts';

/** About 75 kB an update: far below the 256 KiB the server takes. */
const CHUNK = 500;
/** Nobody works this long; acts are told apart by `stopCapturing`, not by time. */
const ONE_ACT_MS = Number.MAX_SAFE_INTEGER;
/** The server's edits come within milliseconds of its answer; past this the line is down, or carries them later. */
const SERVER_EDIT_MS = 5_000;

/** What somebody else changed in one transaction. */
export interface RemoteChange {
  added: { entry_id: string; added_by: string | null }[];
  /** Rows that had been removed and are back, as after an undo. */
  restored: string[];
  moved: string[];
  removed: number;
  name: string | null;
}
/** One connection's awareness state; the server fills in `user`. */
export interface Presence {
  client: number;
  user: { id: string; name: string } | null;
  editing: string | null;
  /** When it last did something, by this device's clock. */
  active_at_ms: number;
  isMe: boolean;
}
export interface SyncListener {
  onlist(list: ListEntry[]): void;
  onmeta(meta: { name: string | undefined; description: string | undefined }): void;
  online(line: 'connecting' | 'connected' | 'disconnected', synced: boolean): void;
  /** The server ended the line for good; `code` as in the contract's close codes. */
  onclosed(code: number): void;
  /** The line broke or could not be made, and is tried again. */
  onbroken(code: number | null, attempts: number): void;
  onremote(change: RemoteChange): void;
  onpresence(people: Presence[]): void;
  /** Edits made while the line was down, and the entries they touched. */
  onwaiting(edits: number, entries: ReadonlySet<string>): void;
  onundo(canUndo: boolean, canRedo: boolean): void;
}
export interface SyncOptions {
  ws_base: string;
  playlist_id: string;
  user_id: string;
  listener: SyncListener;
  /** False in tests that bring their own way of exchanging updates. */
  connect?: boolean;
  nowMs?: () => number;
}

/** Outcome of an undo: `partly` when somebody changed some of it since, `nothing` when they changed all of it. */
export type UndoOutcome = 'done' | 'partly' | 'nothing' | 'empty';

/** A fresh entry id: 128 random bits in 22 URL-safe characters. */
export function newEntryId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');
}

/** The ids whose neighbours changed, of those whose order key was set: a mere re-keying moves nothing. */
export function reallyMoved(
  before: readonly string[],
  after: readonly string[],
  touched: ReadonlySet<string>,
): string[] {
  const stays = new Set(after);
  const there = new Set(before);
  const neighbours = (list: readonly string[], common: ReadonlySet<string>) => {
    const kept = list.filter((id) => common.has(id));
    return new Map(kept.map((id, i) => [id, `${kept[i - 1] ?? ''} ${kept[i + 1] ?? ''}`]));
  };
  const was = neighbours(before, stays);
  const is = neighbours(after, there);
  return [...touched].filter((id) => was.has(id) && is.has(id) && was.get(id) !== is.get(id));
}

export class PlaylistSync {
  readonly doc = new Y.Doc();
  readonly provider: WebsocketProvider;
  /** Marks my transactions; undo reverses these alone. */
  readonly origin = { mine: true };
  /** Marks edits of mine from an earlier visit: neither news nor to be undone. */
  readonly #earlier = { mine: true };
  /** Marks the reversal of what the server did for me: not Yjs' to undo. */
  readonly #reversing = { mine: true };
  readonly #undo: Y.UndoManager;
  readonly #moves: ServerMoves;
  /** Acts of mine that the server is at: what comes of them is no news. */
  #expected = 0;
  #onchange = new Set<() => void>();
  readonly #listener: SyncListener;
  readonly #user_id: string;
  readonly #nowMs: () => number;
  #list: ListEntry[] = [];
  #waiting = 0;
  #waitingEntries = new Set<string>();
  #activeAt = new Map<number, number>();
  /** Keys the last undo or redo really changed. */
  #undone = 0;
  /** What the server had when the first waiting edit was made. */
  #sentVector: Uint8Array | null = null;
  #hasSynced = false;
  /** Every entry this tab has seen removed. */
  readonly #removed = new Set<string>();
  #closed = false;

  constructor(options: SyncOptions) {
    this.#listener = options.listener;
    this.#user_id = options.user_id;
    this.#nowMs = options.nowMs ?? Date.now;
    this.#undo = new Y.UndoManager([entriesOf(this.doc), orderOf(this.doc), metaOf(this.doc)], {
      trackedOrigins: new Set([this.origin]),
      captureTimeout: ONE_ACT_MS,
    });
    this.#moves = new ServerMoves(orderOf(this.doc), (edit) => this.doc.transact(edit, this.#reversing));
    this.#undo.on('stack-item-added', () => this.#tellUndo());
    this.#undo.on('stack-item-popped', () => this.#tellUndo());
    this.doc.on('afterTransaction', (transaction: Y.Transaction) => this.#changed(transaction));
    // Tabs of one browser would talk past the server and its permissions over the broadcast channel.
    this.provider = new WebsocketProvider(`${options.ws_base}/yjs`, options.playlist_id, this.doc, {
      disableBc: true,
      connect: options.connect ?? true,
    });
    this.#listen();
  }

  /** Whether edits reach the server at once. */
  get isLive(): boolean {
    return this.provider.wsconnected && this.provider.synced;
  }
  get list(): readonly ListEntry[] {
    return this.#list;
  }

  /** Adds library tracks before an entry (null: at the end). @returns the new entry ids. */
  add(track_ids: readonly string[], before: string | null): string[] {
    const added_at = Math.floor(this.#nowMs() / 1000);
    const added = track_ids.map((track_id) => {
      const value: EntryValue = { track_id, added_by: this.#user_id, added_at };
      return { entry_id: newEntryId(), value };
    });
    this.#act(() => {
      for (let i = 0; i < added.length; i += CHUNK) {
        addEntries(this.doc, added.slice(i, i + CHUNK), before, this.origin);
      }
    });
    return added.map(({ entry_id }) => entry_id);
  }

  /** Moves entries before another (null: to the end), keeping their order. @returns those that were still there. */
  move(ids: readonly string[], before: string | null): string[] {
    const wanted = new Set(ids);
    const ordered = this.#list.flatMap(({ entry_id }) => (wanted.has(entry_id) ? [entry_id] : []));
    const moved: string[] = [];
    // "Before" must be a row that stays, or a later part would land before an earlier one.
    const target = before === null ? null : this.#stayingFrom(before, wanted);
    this.#act(() => {
      for (let i = 0; i < ordered.length; i += CHUNK) {
        moved.push(...moveEntries(this.doc, ordered.slice(i, i + CHUNK), target, this.origin));
      }
    });
    return moved;
  }

  /**
   * Removes entries. @returns how many were there, and the way to bring back exactly these, whatever was done since.
   */
  remove(ids: readonly string[]): { count: number; restore: () => void } {
    const order = orderOf(this.doc);
    const kept = ids.flatMap((id) => {
      const value = entriesOf(this.doc).get(id);
      return value === undefined ? [] : [{ id, value, key: order.get(id) }];
    });
    this.#act(() => removeEntries(this.doc, ids, this.origin));
    const act = this.#undo.undoStack.at(-1);
    const restore = () => {
      const { undoStack } = this.#undo;
      if (act !== undefined && undoStack.at(-1) === act && !this.#moves.isNext('undo', undoStack.length)) {
        this.undo();
        return;
      }
      // Other acts came after it: put back the rows alone, as one new act.
      this.#act(() =>
        this.doc.transact(() => {
          for (const { id, value, key } of kept) {
            if (entriesOf(this.doc).has(id)) continue;
            entriesOf(this.doc).set(id, value);
            if (key !== undefined) order.set(id, key);
          }
        }, this.origin),
      );
    };
    return { count: kept.length, restore };
  }

  /** Sets the name or the description. */
  setMeta(field: 'name' | 'description', value: string): void {
    if (metaOf(this.doc).get(field) === value) return;
    this.#act(() => this.doc.transact(() => metaOf(this.doc).set(field, value), this.origin));
  }

  /**
   * Has the server put the list in another order, as one act of mine that is undone like the others. `act` asks it and tells how
   * many entries it moved.
   * @returns the way back, whatever was done since; null when nothing was moved or its edit did not come in time.
   */
  async moveByServer(act: () => Promise<number>): Promise<(() => UndoOutcome) | null> {
    const before = this.#moves.keys();
    this.#expected++;
    try {
      const moved = await act();
      // The answer and the edit come by two ways, in either order.
      if (moved === 0 || !(await this.#until(() => this.#moves.changedSince(before) >= moved))) return null;
      this.#undo.clear(false, true);
      const move = this.#moves.file(before, this.#undo.undoStack.length);
      this.#tellUndo();
      return () => this.#takeBack(move);
    } finally {
      this.#expected--;
    }
  }

  /** Reverses my last act, and no older one: an act others have overtaken is dropped and said to be so. */
  undo(): UndoOutcome {
    return this.#reverse('undo');
  }
  redo(): UndoOutcome {
    return this.#reverse('redo');
  }

  /** The edits that wait, as an update to what the server has; null when none do. */
  unsent(): Uint8Array | null {
    return this.#sentVector === null ? null : Y.encodeStateAsUpdate(this.doc, this.#sentVector);
  }

  /** Takes up edits of mine that an earlier visit could not send; the line must be live. */
  takeUp(update: Uint8Array): void {
    Y.applyUpdate(this.doc, update, this.#earlier);
  }

  /** The list as it would be with edits that may no longer be sent. */
  listWith(updates: readonly Uint8Array[]): ListEntry[] {
    const copy = new Y.Doc();
    for (const update of [Y.encodeStateAsUpdate(this.doc), ...updates]) Y.applyUpdate(copy, update);
    const list = readList(copy);
    copy.destroy();
    return list;
  }

  /** Tells the others which row I am at. */
  setEditing(entry_id: string | null): void {
    this.provider.awareness.setLocalStateField('editing', entry_id ?? undefined);
  }

  /** Takes the line up again after the server had ended it. */
  reconnect(): void {
    this.provider.connect();
  }

  /** Leaves: the others see me go at once. */
  destroy(): void {
    this.#closed = true;
    for (const look of [...this.#onchange]) look();
    this.provider.awareness.setLocalState(null);
    this.provider.destroy();
    this.#undo.destroy();
    this.doc.destroy();
  }

  /** Runs one act of mine: however many transactions it takes, it is undone as one. */
  #act(edit: () => void): void {
    this.#undo.stopCapturing();
    this.#moves.dropUndone();
    edit();
  }

  #stayingFrom(before: string, moving: ReadonlySet<string>): string | null {
    const at = this.#list.findIndex(({ entry_id }) => entry_id === before);
    if (at < 0) return null;
    return this.#list.slice(at).find(({ entry_id }) => !moving.has(entry_id))?.entry_id ?? null;
  }

  #tellUndo(): void {
    this.#listener.onundo(this.#undo.canUndo() || this.#moves.canUndo, this.#undo.canRedo() || this.#moves.canRedo);
  }

  /** Waits for the document to be as wanted. @returns false when it is not in time. */
  #until(isSo: () => boolean): Promise<boolean> {
    if (isSo()) return Promise.resolve(true);
    return new Promise((resolve) => {
      const end = (isThere: boolean) => {
        clearTimeout(timer);
        this.#onchange.delete(look);
        resolve(isThere);
      };
      const look = () => (this.#closed || isSo()) && end(!this.#closed);
      const timer = setTimeout(() => end(false), SERVER_EDIT_MS);
      this.#onchange.add(look);
    });
  }

  #takeBack(move: Move): UndoOutcome {
    if (this.#moves.isLast(move) && this.#moves.isNext('undo', this.#undo.undoStack.length)) return this.undo();
    let outcome = { changed: 0, of: 0 };
    this.#act(() => (outcome = this.#moves.takeBack(move, (edit) => this.doc.transact(edit, this.origin))));
    return outcomeOf(outcome);
  }

  #reverse(which: 'undo' | 'redo'): UndoOutcome {
    const [stack, other] =
      which === 'undo' ? [this.#undo.undoStack, this.#undo.redoStack] : [this.#undo.redoStack, this.#undo.undoStack];
    if (this.#moves.isNext(which, stack.length)) {
      const outcome = this.#moves.reverse(which, other.length);
      this.#tellUndo();
      return outcomeOf(outcome);
    }
    const item = stack.at(-1);
    if (item === undefined) return 'empty';
    // Yjs goes on to older acts until one changes something; only the last one is meant.
    const older = stack.splice(0, stack.length - 1);
    this.#undone = 0;
    this.#undo[which]();
    stack.unshift(...older);
    const reverse = (which === 'undo' ? this.#undo.redoStack : this.#undo.undoStack).at(-1);
    if (this.#undone > 0) reverse?.meta.set(this, this.#undone);
    this.#tellUndo();
    if (this.#undone === 0) return 'nothing';
    const whole = item.meta.get(this) as number | undefined;
    return whole !== undefined && this.#undone < whole ? 'partly' : 'done';
  }

  #changed(transaction: Y.Transaction): void {
    const meta = transaction.changed.get(metaOf(this.doc) as never);
    const entries = (transaction.changed.get(entriesOf(this.doc) as never) ?? new Set()) as Set<string>;
    const order = (transaction.changed.get(orderOf(this.doc) as never) ?? new Set()) as Set<string>;
    if (meta === undefined && entries.size === 0 && order.size === 0) return;
    const before = this.#list;
    if (entries.size > 0 || order.size > 0) {
      this.#list = readList(this.doc);
      this.#listener.onlist(this.#list);
    }
    if (meta !== undefined) this.#tellMeta();
    const touched = new Set([...entries, ...order]);
    const size = touched.size + (meta?.size ?? 0);
    if (transaction.local) {
      if (transaction.origin === this.#undo) this.#undone += size;
      else if (transaction.origin !== this.#reversing) this.#note(size);
      if (!this.isLive) {
        this.#sentVector ??= Y.encodeStateVector(transaction.beforeState);
        this.#waiting++;
        for (const id of touched) this.#waitingEntries.add(id);
        this.#listener.onwaiting(this.#waiting, new Set(this.#waitingEntries));
      }
    } else if (transaction.origin !== this.#earlier) {
      this.#tellRemote(before, entries, order, meta as Set<string> | undefined);
    }
    for (const id of entries) if (!entriesOf(this.doc).has(id)) this.#removed.add(id);
    for (const look of [...this.#onchange]) look();
  }

  /** Remembers how much an act changed, so that a partial undo can be told. Runs before or after Yjs files the act. */
  #note(size: number): void {
    const item = this.#undo.undoStack.at(-1);
    if (item) item.meta.set(this, ((item.meta.get(this) as number | undefined) ?? 0) + size);
  }

  #tellMeta(): void {
    const meta = metaOf(this.doc);
    this.#listener.onmeta({ name: meta.get('name'), description: meta.get('description') });
  }

  #tellRemote(before: ListEntry[], entries: Set<string>, order: Set<string>, meta: Set<string> | undefined): void {
    // The first exchange brings the whole list; that is no news.
    if (!this.#hasSynced) return;
    const known = new Set(before.map(({ entry_id }) => entry_id));
    const now = entriesOf(this.doc);
    const fresh = [...entries].filter((id) => now.has(id) && !known.has(id));
    const restored = fresh.filter((id) => this.#removed.has(id));
    const added = fresh.flatMap((entry_id) =>
      this.#removed.has(entry_id) ? [] : [{ entry_id, added_by: now.get(entry_id)?.added_by ?? null }],
    );
    const removed = [...entries].filter((id) => known.has(id) && !now.has(id)).length;
    const moved =
      this.#expected > 0
        ? []
        : reallyMoved(
            before.map(({ entry_id }) => entry_id),
            this.#list.map(({ entry_id }) => entry_id),
            new Set([...order].filter((id) => known.has(id) && now.has(id))),
          );
    const name = meta?.has('name') === true ? (metaOf(this.doc).get('name') ?? null) : null;
    if (fresh.length + removed + moved.length > 0 || name !== null) {
      this.#listener.onremote({ added, restored, moved, removed, name });
    }
  }

  #listen(): void {
    const { provider } = this;
    provider.on('status', ({ status }) => {
      if (!this.#closed) this.#listener.online(status, provider.synced);
    });
    provider.on('sync', (isSynced: boolean) => {
      if (this.#closed) return;
      if (isSynced) {
        this.#hasSynced = true;
        // Peers take a state only with a clock above the one they know, which is 0 for a stranger and the old one after
        // a break: without this step nobody would see me for the 15 seconds until the next renewal.
        provider.awareness.setLocalState(provider.awareness.getLocalState() ?? {});
        this.#listener.onpresence(this.#presence());
      }
      if (isSynced && this.#waiting > 0) {
        this.#waiting = 0;
        this.#sentVector = null;
        this.#waitingEntries = new Set();
        this.#listener.onwaiting(0, new Set());
      }
      this.#listener.online(provider.wsconnected ? 'connected' : 'connecting', isSynced);
    });
    provider.on('closed', ({ code }) => {
      if (!this.#closed) this.#listener.onclosed(code);
    });
    provider.on('connection-close', (event) => {
      if (!this.#closed) this.#listener.onbroken(event?.code ?? null, provider.wsUnsuccessfulReconnects + 1);
    });
    const { awareness } = provider;
    awareness.on('change', ({ added, updated, removed }: Record<'added' | 'updated' | 'removed', number[]>) => {
      if (this.#closed) return;
      for (const client of [...added, ...updated]) this.#activeAt.set(client, this.#nowMs());
      for (const client of removed) this.#activeAt.delete(client);
      this.#listener.onpresence(this.#presence());
    });
  }

  #presence(): Presence[] {
    const people: Presence[] = [];
    for (const [client, state] of this.provider.awareness.getStates()) {
      const user = state['user'] as { id?: unknown; name?: unknown } | undefined;
      const editing: unknown = state['editing'];
      people.push({
        client,
        user: typeof user?.id === 'string' && typeof user.name === 'string' ? { id: user.id, name: user.name } : null,
        editing: typeof editing === 'string' ? editing : null,
        active_at_ms: this.#activeAt.get(client) ?? this.#nowMs(),
        isMe: client === this.doc.clientID,
      });
    }
    return people;
  }
}

function outcomeOf({ changed, of }: { changed: number; of: number }): UndoOutcome {
  return changed === 0 ? 'nothing' : changed < of ? 'partly' : 'done';
}

/** Opens the document of a playlist. */
export function openPlaylist(options: SyncOptions): PlaylistSync {
  return new PlaylistSync(options);
}
