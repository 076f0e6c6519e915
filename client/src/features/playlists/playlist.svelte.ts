/* eslint-disable svelte/prefer-svelte-reactivity -- sets and maps are replaced whole ($state.raw), never changed in place */
import { CLOSE } from '#contract/close-codes.ts';
import { api } from '../../lib/api.ts';
import { gateway } from '../../lib/gateway.svelte.ts';
import { i18n } from '../../lib/i18n.svelte.ts';
import { playlistWords } from '../../lib/playlist-words.ts';
import { asProblem } from '../../lib/problem.ts';
import { problemText } from '../../lib/problem-text.ts';
import { queryClient } from '../../lib/query.ts';
import { announce } from '../../ui/live-region.svelte.ts';
import { toaster } from '../../ui/toaster.svelte.ts';
import { session } from '../accounts/session.svelte.ts';
import { positionBefore, stepBefore } from '../tracks/grid-math.ts';
import { KeptEdits } from './kept-edits.svelte.ts';
import { LineState } from './line.svelte.ts';
import { othersByRow, peopleHere } from './people-here.ts';
import { RemoteMarks } from './remote-marks.svelte.ts';
import { duplicatesOf, rowsOf } from './playlist-rows.ts';
import { whileMaking } from './own-changes.ts';
import { saveAsOwn } from './save-as-own.ts';
import { RowSource } from './row-source.svelte.ts';
import type { Track } from '#contract/library.ts';
import type { ListEntry } from '#contract/playlist-doc.ts';
import type { Reply } from '#contract/endpoint.ts';
import type { Collaborator, Playlist, SortBy, restorePlaylist, sortPlaylist } from '#contract/playlists.ts';
import type { ApiProblem } from '../../lib/problem.ts';
import type { PlaylistSync, Presence, SyncListener, UndoOutcome } from './playlist-sync.ts';

const EDITING_MS = 120;
/** After this many failed attempts it is asked by REST whether the sign-in or the playlist is gone. */
const ASK_AFTER = 3;
/** A line ended twice within this for want of rights is not taken up a third time. */
const REOPEN_MS = 5_000;
/** Mirrors MAX_ENTRIES of the contract, whose module would bring Yjs into this route. */
const MAX_ENTRIES = 10_000;

/** What the view shows; every value but `open` replaces the list or stands above it. */
export type Phase =
  | 'loading'
  | 'failed'
  /** Not there, or not for me: the same on purpose. */
  | 'gone'
  | 'open'
  /** Deleted, or access taken, while it was open. */
  | 'deleted'
  | 'withdrawn'
  | 'signed_out'
  | 'superseded'
  | 'refused'
  | 'too_large';

/** One playlist as it is open in this tab: its rows, who is here, how the line is, and my edits. */
export class PlaylistState {
  readonly id: string;
  #phase = $state<Phase>('loading');
  #problem = $state.raw<ApiProblem | null>(null);
  #playlist = $state.raw<Playlist | null>(null);
  #meta = $state.raw<{ name: string | undefined; description: string | undefined }>({
    name: undefined,
    description: undefined,
  });
  #list = $state.raw<readonly ListEntry[]>([]);
  /** True once the document itself, not only its rows by REST, is here. */
  #isSynced = $state(false);
  #people = $state.raw<ReadonlyMap<string, { id: string; display_name: string }>>(new Map());
  #members = $state.raw<readonly Collaborator[]>([]);
  #here = $state.raw<readonly Presence[]>([]);
  #now = $state(Date.now());
  readonly #line = new LineState();
  #waiting = $state(0);
  #unsent = $state.raw<ReadonlySet<string>>(new Set());
  readonly #remote = new RemoteMarks((id) => this.#personOf(id)?.display_name);
  #canUndo = $state(false);
  #canRedo = $state(false);
  #liveFailed = $state(false);
  readonly #kept: KeptEdits;
  #sync: PlaylistSync | null = null;
  readonly #source: RowSource;
  #stops: (() => void)[] = [];
  /** The message that offers to undo a removal; it goes with what it could undo. */
  #undoToast: number | null = null;
  #editingTimer: ReturnType<typeof setTimeout> | undefined;
  #reopenedAt = 0;
  #isRenewing = false;
  #isLeaving = false;
  #isGone = false;

  readonly rows = $derived(
    rowsOf(
      this.#list,
      (id) => this.#source.track(id),
      (id) => this.#personOf(id),
      this.#unsent,
    ),
  );
  readonly duplicates = $derived(duplicatesOf(this.#list));
  /** Everybody here, me last, one entry a person however many tabs they have open. */
  readonly here = $derived(peopleHere(this.#here, session.me, this.#now));
  /** Which rows others are at. */
  readonly presence = $derived(othersByRow(this.#here, session.me));

  constructor(id: string) {
    this.id = id;
    this.#kept = new KeptEdits(id);
    this.#source = new RowSource(this.#path, {
      list: () => this.#list,
      isLive: () => this.#sync?.isLive === true,
      onrows: (list) => {
        if (!this.#isSynced) this.#list = list;
      },
      onpeople: (people) => this.#know(people),
    });
  }

  get phase(): Phase {
    return this.#phase;
  }
  get problem(): ApiProblem | null {
    return this.#problem;
  }
  get playlist(): Playlist | null {
    return this.#playlist;
  }
  get name(): string {
    return this.#meta.name ?? this.#playlist?.name ?? '';
  }
  get description(): string {
    return this.#meta.description ?? this.#playlist?.description ?? '';
  }
  get role(): Playlist['role'] {
    return this.#playlist?.role ?? 'public';
  }
  get isOwner(): boolean {
    return this.role === 'owner' && !session.isGuest;
  }
  get mayEdit(): boolean {
    return (this.role === 'owner' || this.role === 'editor') && !session.isGuest;
  }
  /** Edit controls work once the document is here; before that they would write into an empty one. */
  get canEdit(): boolean {
    return this.mayEdit && this.#isSynced && this.#phase === 'open';
  }
  /** Acts the server carries out need the line; edits of the document do not. */
  get canAskServer(): boolean {
    return this.canEdit && (this.#line.now === 'live' || this.#line.now === 'back');
  }
  /** Owner and members, for those who may know them. */
  get members(): readonly Collaborator[] {
    return this.#members;
  }
  get isSynced(): boolean {
    return this.#isSynced;
  }
  /** Nothing to show yet: neither the rows by REST nor the document. */
  get isFilling(): boolean {
    return !this.#source.hasRows && !this.#isSynced;
  }
  get list(): readonly ListEntry[] {
    return this.#list;
  }
  get line(): LineState['now'] {
    return this.#line.now;
  }
  /** Edits made since the line broke. */
  get waiting(): number {
    return this.#waiting;
  }
  /** Edits of an earlier visit that may not be sent any more: they can be saved as a copy, or let go. */
  get keptEdits(): number {
    return this.#kept.aside.reduce((sum, { edits }) => sum + edits, 0);
  }
  /** Whether there is something here that a copy of mine would keep: unsent or refused edits, or a list the server replaced. */
  get mayCopy(): boolean {
    const isOtherThanTheirs = ['superseded', 'refused', 'too_large'].includes(this.#phase);
    return !session.isGuest && this.#list.length > 0 && (this.#waiting > 0 || isOtherThanTheirs);
  }
  /** This device keeps no data: edits that wait live in this page alone. */
  get isKeepingRefused(): boolean {
    return this.#kept.isRefused;
  }
  /** Edits sent when the line came back. */
  get sent(): number {
    return this.#line.sent;
  }
  get marks(): RemoteMarks['marks'] {
    return this.#remote.marks;
  }
  get changes(): ReadonlySet<string> {
    return this.#remote.changes;
  }
  get canUndo(): boolean {
    return this.canEdit && this.#canUndo;
  }
  get canRedo(): boolean {
    return this.canEdit && this.#canRedo;
  }
  /** Live editing itself could not be loaded, as after an update of the app while offline. */
  get liveFailed(): boolean {
    return this.#liveFailed;
  }

  /** Loads the playlist and opens its live line; again after a failure. */
  async open(): Promise<void> {
    this.#phase = 'loading';
    this.#problem = null;
    try {
      this.#playlist = await api.get<Playlist>(this.#path);
      if (this.#isGone) return;
      this.#phase = 'open';
    } catch (error) {
      const problem = asProblem(error);
      if (problem.status === 404 || problem.status === 403) this.#phase = 'gone';
      else {
        this.#problem = problem;
        this.#phase = 'failed';
      }
      return;
    }
    this.#know([this.#playlist.owner, ...(session.me ? [session.me] : [])]);
    if (this.#stops.length === 0) this.#watch();
    await Promise.all([this.#source.readPages(), this.#readPeople(), this.#openSync()]);
  }

  /** Leaves the playlist. */
  close(): void {
    this.#isGone = true;
    this.#dropUndoToast();
    for (const stop of this.#stops) stop();
    this.#stops = [];
    this.#remote.close();
    this.#line.stop();
    this.#source.close();
    clearTimeout(this.#editingTimer);
    this.#sync?.destroy();
    this.#sync = null;
    // What was edited here is older in every list that was read before.
    void queryClient.invalidateQueries({ queryKey: ['playlists'] });
  }

  /** Throws the local document away and takes the server's; what was not sent is lost unless it was saved as a copy. */
  async reload(): Promise<void> {
    this.#dropUndoToast();
    this.#kept.keep(null);
    this.#sync?.destroy();
    this.#sync = null;
    this.#isSynced = false;
    this.#waiting = 0;
    this.#unsent = new Set();
    this.#meta = { name: undefined, description: undefined };
    this.#here = [];
    this.#canUndo = false;
    this.#canRedo = false;
    await this.open();
  }

  add(track_ids: readonly string[], before: string | null = null): void {
    if (!this.#sync || !this.canEdit) return;
    if (this.#list.length + track_ids.length > MAX_ENTRIES) {
      toaster.error(playlistWords().edit.full);
      return;
    }
    const sync = this.#sync;
    this.#try(() => {
      sync.add(track_ids, before);
      toaster.show({ text: playlistWords().edit.added(track_ids.length) });
    });
  }

  /** Moves rows before another (null: to the end) and says where they went. */
  move(ids: readonly string[], before: string | null): void {
    const sync = this.#sync;
    if (!sync || !this.canEdit) return;
    this.#try(() => {
      const first = sync.move(ids, before)[0];
      const at = this.#list.findIndex(({ entry_id }) => entry_id === first);
      if (at >= 0) announce(playlistWords().edit.movedTo(at + 1, this.#list.length));
    });
  }
  moveStep(ids: readonly string[], direction: 'up' | 'down'): void {
    const before = stepBefore(this.#ids, new Set(ids), direction);
    if (before !== undefined) this.move(ids, before);
  }
  /** `position` counts from 0. */
  moveToPosition(ids: readonly string[], position: number): void {
    this.move(ids, positionBefore(this.#ids, new Set(ids), position));
  }

  remove(ids: readonly string[], text: (count: number) => string = playlistWords().edit.removed): void {
    const sync = this.#sync;
    if (!sync || !this.canEdit) return;
    this.#try(() => {
      const { count, restore } = sync.remove(ids);
      if (count === 0) return;
      this.#undoToast = toaster.show({
        text: text(count),
        action: i18n.m.common.undo,
        ms: 10_000,
        onaction: () => {
          if (this.#sync === sync) this.#try(restore);
        },
      });
    });
  }
  removeDuplicates(): void {
    this.remove(this.duplicates, playlistWords().edit.duplicatesRemoved);
  }

  /** Puts the list in order, as one act; the server does it, who knows how titles and names are sorted. */
  async sort(by: SortBy, descending: boolean): Promise<void> {
    const sync = this.#sync;
    if (!sync || !this.canEdit) return;
    const words = playlistWords().sort;
    let moved = 0;
    try {
      const goBack = await sync.moveByServer(async () => {
        ({ moved } = await api.post<Reply<typeof sortPlaylist>>(`${this.#path}/sort`, { by, descending }));
        return moved;
      });
      if (moved === 0) toaster.show({ text: words.already });
      else {
        this.#undoToast = toaster.show({
          text: words.done,
          ...(goBack
            ? { action: i18n.m.common.undo, onaction: () => this.#sync === sync && this.#tellOutcome('undo', goBack) }
            : {}),
        });
      }
    } catch (error) {
      toaster.error(`${words.failed}: ${problemText(asProblem(error))}`);
    }
  }

  /** The owner's way back to a version; the message leads forward again. @returns whether the list was changed. */
  async restore(checkpoint_id: string, say: (at: number) => string): Promise<boolean> {
    const words = playlistWords().history;
    try {
      const path = `${this.#path}/restore`;
      const { at, undo_checkpoint_id } = await api.post<Reply<typeof restorePlaylist>>(path, { checkpoint_id });
      if (undo_checkpoint_id === null) {
        toaster.show({ text: words.nothingToDo });
        return false;
      }
      toaster.show({
        text: say(at),
        action: i18n.m.common.undo,
        onaction: () => void this.restore(undo_checkpoint_id, () => words.broughtBack),
      });
      return true;
    } catch (error) {
      toaster.error(`${words.failed}: ${problemText(asProblem(error))}`);
      return false;
    }
  }

  setMeta(field: 'name' | 'description', value: string): void {
    if (this.canEdit) this.#sync?.setMeta(field, value);
  }

  undo(): void {
    this.#reverse('undo');
  }
  redo(): void {
    this.#reverse('redo');
  }

  /** Others see which row I am at; people who only read show none. */
  setEditing(entry_id: string | null): void {
    if (!this.canEdit) return;
    // Holding an arrow key passes many rows; where it stops is what others are told.
    clearTimeout(this.#editingTimer);
    this.#editingTimer = setTimeout(() => this.#sync?.setEditing(entry_id), EDITING_MS);
  }

  seen(ids: readonly string[]): void {
    this.#remote.seen(ids);
  }

  /** The owner's switch; only the server knows who that lets in, so it is not shown before it holds. */
  async setPublic(is_public: boolean): Promise<void> {
    const words = playlistWords().people;
    this.take(await api.put<Playlist>(this.#path, { is_public }));
    toaster.show({ text: is_public ? words.madePublic : words.madePrivate });
  }

  /** Takes what the server says of the list now, as after another cover. */
  take(playlist: Playlist): void {
    this.#playlist = playlist;
    void queryClient.invalidateQueries({ queryKey: ['playlists'] });
  }

  async delete(): Promise<void> {
    // Our own deletion closes our own line; that is no news.
    this.#isLeaving = true;
    try {
      await api.del(this.#path);
    } catch (error) {
      this.#isLeaving = false;
      throw error;
    }
    void queryClient.invalidateQueries({ queryKey: ['playlists'] });
  }

  /** Takes me off the list; what I added stays. */
  async leave(): Promise<void> {
    // That the line closes then is no news.
    this.#isLeaving = true;
    try {
      await api.post(`${this.#path}/leave`);
    } catch (error) {
      this.#isLeaving = false;
      throw error;
    }
    void queryClient.invalidateQueries({ queryKey: ['playlists'] });
  }

  /** Makes a playlist of mine of this one as the server has it. @returns its id. */
  async copy(): Promise<string> {
    const { id } = await whileMaking(
      () => api.post<Playlist>(`${this.#path}/copy`),
      (copy) => [copy.id],
    );
    void queryClient.invalidateQueries({ queryKey: ['playlists'] });
    return id;
  }

  /** Keeps what this tab has as a playlist of mine. @returns its id. */
  async saveCopy(): Promise<string> {
    const { aside } = this.#kept;
    const kept = aside.length > 0 ? this.#sync?.listWith(aside.map(({ update }) => update)) : this.#list;
    const name = playlistWords().connection.copyName(this.name).slice(0, 200);
    const id = await whileMaking(
      () => saveAsOwn(name, this.description, kept ?? this.#list, (track_id) => this.#source.track(track_id)),
      (copy) => [copy],
    );
    this.discardKept();
    void queryClient.invalidateQueries({ queryKey: ['playlists'] });
    return id;
  }
  /** Lets go of the edits this device has kept. */
  discardKept(): void {
    this.#kept.discard();
  }

  /** Playable tracks in order, and where in them a row stands. */
  playable(row_id: string | null = null): { tracks: Track[]; index: number } {
    const ready = this.rows.flatMap((row) =>
      row.state === 'ready' && row.track ? [{ id: row.id, track: row.track }] : [],
    );
    return {
      tracks: ready.map(({ track }) => track),
      index: Math.max(
        0,
        ready.findIndex(({ id }) => id === row_id),
      ),
    };
  }

  /** People joined, left or changed: names and my own role are read anew. */
  async refresh(): Promise<void> {
    await Promise.all([this.#renew(), this.#readPeople()]);
  }

  get #path(): string {
    return `/playlists/${encodeURIComponent(this.id)}`;
  }
  get #ids(): string[] {
    return this.#list.map(({ entry_id }) => entry_id);
  }

  #personOf(user_id: string): { id: string; display_name: string } | undefined {
    const known = this.#people.get(user_id);
    if (known) return known;
    const here = this.#here.find(({ user }) => user?.id === user_id)?.user;
    return here ? { id: here.id, display_name: here.name } : undefined;
  }
  #know(users: readonly { id: string; display_name: string }[]): void {
    const fresh = users.filter(({ id, display_name }) => this.#people.get(id)?.display_name !== display_name);
    if (fresh.length === 0) return;
    this.#people = new Map([
      ...this.#people,
      ...fresh.map((user) => [user.id, { id: user.id, display_name: user.display_name }] as const),
    ]);
  }

  #try(edit: () => void): void {
    try {
      edit();
    } catch (error) {
      console.error('playlist edit', error);
      toaster.error(playlistWords().edit.failed);
    }
  }

  #dropUndoToast(): void {
    if (this.#undoToast !== null) toaster.dismiss(this.#undoToast);
    this.#undoToast = null;
  }

  #reverse(which: 'undo' | 'redo'): void {
    const sync = this.#sync;
    if (!sync || !this.canEdit) return;
    this.#dropUndoToast();
    this.#tellOutcome(which, () => sync[which]());
  }
  #tellOutcome(which: 'undo' | 'redo', reverse: () => UndoOutcome): void {
    const words = playlistWords().edit;
    this.#try(() => {
      const text = {
        done: which === 'undo' ? words.undone : words.redone,
        partly: words.undonePartly,
        nothing: words.undoneNothing,
        empty: which === 'undo' ? words.nothingToUndo : words.nothingToRedo,
      }[reverse()];
      toaster.show({ text });
    });
  }

  async #readPeople(): Promise<void> {
    try {
      const { items } = await api.get<{ items: Collaborator[] }>(`${this.#path}/collaborators`, undefined, {
        quiet_401: true,
      });
      this.#members = items;
      this.#know(items);
    } catch (error) {
      // Readers of a public list may not see its members; names then come with the rows.
      if (asProblem(error).status !== 404 && asProblem(error).status !== 403) console.warn('playlist people', error);
    }
  }

  async #openSync(): Promise<void> {
    if (this.#sync || this.#isGone) return;
    this.#liveFailed = false;
    this.#line.begin();
    try {
      const { openPlaylist } = await import('./playlist-sync.ts');
      // The view may have been left, or opened anew, while the code was on its way.
      if (this.#isGone || this.#sync) return;
      this.#sync = openPlaylist({
        ws_base: `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}`,
        playlist_id: this.id,
        user_id: session.me?.id ?? '',
        listener: this.#listener,
      });
    } catch (error) {
      console.error('live editing', error);
      this.#liveFailed = true;
    }
  }

  readonly #listener: SyncListener = {
    onlist: (list) => {
      // Until the first exchange is complete the rows by REST know more.
      if (!this.#isSynced && this.#sync?.provider.synced !== true) return;
      this.#list = list;
      this.#source.lookUp();
    },
    onmeta: (meta) => (this.#meta = meta),
    online: (status, synced) => this.#lineIs(status === 'connected' && synced),
    onclosed: (code) => void this.#closedBy(code),
    onbroken: (code, attempts) => {
      this.#lineIs(false);
      if (attempts >= ASK_AFTER && attempts % ASK_AFTER === 0 && (code === null || code < 4400 || code > 4499))
        void this.#renew();
    },
    onremote: (change) => {
      if (change.added.some(({ added_by }) => added_by !== null && !this.#personOf(added_by))) void this.#readPeople();
      this.#remote.take(change);
    },
    onpresence: (people) => {
      this.#here = people;
      this.#know(people.flatMap(({ user }) => (user ? [{ id: user.id, display_name: user.name }] : [])));
    },
    onwaiting: (edits, entries) => {
      if (edits === 0) this.#line.tookAlong(this.#waiting);
      this.#waiting = edits;
      this.#unsent = entries;
      const update = edits === 0 ? null : (this.#sync?.unsent() ?? null);
      this.#kept.keep(update === null ? null : { edits, update });
    },
    onundo: (canUndo, canRedo) => {
      this.#canUndo = canUndo;
      this.#canRedo = canRedo;
    },
  };

  #lineIs(isLive: boolean): void {
    if (!isLive) {
      this.#line.down(this.#isSynced);
      return;
    }
    this.#line.up();
    if (this.#isSynced) {
      void this.#renew();
      return;
    }
    this.#isSynced = true;
    this.#takeUp();
    this.#list = [...(this.#sync?.list ?? [])];
    this.#source.lookUp();
  }
  /** Sends what an earlier visit could not, or keeps it aside when I may not edit any more. */
  #takeUp(): void {
    const send = (kept: KeptEdits['aside']) =>
      this.#try(() => {
        for (const { update } of kept) this.#sync?.takeUp(update);
        const count = kept.reduce((sum, { edits }) => sum + edits, 0);
        toaster.show({ text: playlistWords().connection.earlierSent(count) });
      });
    this.#kept.takeUp(this.mayEdit ? send : null);
  }

  /** The server ended the line for good: say why, and what can be done (contract §5). */
  async #closedBy(code: number): Promise<void> {
    this.#line.stop();
    this.#dropUndoToast();
    this.#here = [];
    if (this.#isGone || this.#isLeaving) return;
    switch (code) {
      case CLOSE.signed_out:
        this.#phase = 'signed_out';
        return;
      case CLOSE.not_found:
        this.#phase = 'deleted';
        return;
      case CLOSE.access_withdrawn:
        await this.#accessChanged();
        return;
      case CLOSE.superseded:
        this.#phase = 'superseded';
        return;
      case CLOSE.too_large:
        this.#phase = 'too_large';
        return;
      default:
        this.#phase = 'refused';
    }
  }

  /** Access was taken, or editing was: which, only the server knows. */
  async #accessChanged(): Promise<void> {
    const role = this.role;
    try {
      this.#playlist = await api.get<Playlist>(this.#path, undefined, { quiet_401: true });
    } catch (error) {
      this.#phase = asProblem(error).status === 401 ? 'signed_out' : 'withdrawn';
      return;
    }
    const isAgain = Date.now() - this.#reopenedAt < REOPEN_MS;
    this.#reopenedAt = Date.now();
    // Edits that were refused would be offered again with every connection; with some unsent, the person decides first.
    if (isAgain || (this.#waiting > 0 && !this.mayEdit)) this.#phase = 'refused';
    else if (this.mayEdit && this.role === role) this.#sync?.reconnect();
    else {
      if (!this.mayEdit && (role === 'owner' || role === 'editor')) {
        toaster.show({ text: playlistWords().connection.readOnlyNow });
      }
      await this.reload();
    }
  }

  /** Asks what I am to the list now; tells a lost sign-in or a lost list from a lost line. */
  async #renew(): Promise<void> {
    if (this.#isRenewing || this.#isLeaving || this.#isGone) return;
    this.#isRenewing = true;
    try {
      this.#playlist = await api.get<Playlist>(this.#path, undefined, { quiet_401: true });
    } catch (error) {
      const { status } = asProblem(error);
      if (status === 401) this.#phase = 'signed_out';
      else if (status === 404 || status === 403) this.#phase = 'withdrawn';
    } finally {
      this.#isRenewing = false;
    }
  }

  #watch(): void {
    const tick = setInterval(() => (this.#now = Date.now()), 10_000);
    const onvisible = () => {
      if (document.visibilityState === 'visible' && this.#phase === 'open') void this.#renew();
    };
    document.addEventListener('visibilitychange', onvisible);
    // What is kept on this device is sent with the next visit; a person may rather wait for it.
    const onleave = (event: BeforeUnloadEvent) => {
      if (this.#waiting > 0) event.preventDefault();
    };
    addEventListener('beforeunload', onleave);
    this.#stops = [
      () => clearInterval(tick),
      () => document.removeEventListener('visibilitychange', onvisible),
      () => removeEventListener('beforeunload', onleave),
      gateway.on('playlist:changed', ({ playlist_id }) => {
        if (playlist_id === this.id && this.#phase === 'open') void this.#renew();
      }),
    ];
  }
}
