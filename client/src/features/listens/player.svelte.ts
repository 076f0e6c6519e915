import { i18n } from '../../lib/i18n.svelte.ts';
import { announce } from '../../ui/live-region.svelte.ts';
import { toaster } from '../../ui/toaster.svelte.ts';
import { connectMediaSession, showMediaSession } from './media-session.ts';
import { outbox } from './outbox.svelte.ts';
import { QueueKeeper } from './kept-queue.ts';
import { Playback } from './playback.ts';
import { Queue } from './queue.svelte.ts';
import { failureOf, streamAddress } from './stream.ts';
import { Volume } from './volume.svelte.ts';
import type { Track } from '#contract/library.ts';
import type { KeptQueue } from './kept-queue.ts';
import type { QueueEntry, Repeat } from './queue-order.ts';
import type { FailureKind } from './stream.ts';

/** What the player is doing; `failed` waits to skip, `halted` waits for a press. */
export type PlayerState = 'empty' | 'loading' | 'playing' | 'paused' | 'failed' | 'halted';

const REPORT_EVERY_MS = 5_000;
const SKIP_AFTER_MS = 3_000;
/** The next track is fetched once this much of the current one is left. */
const PRELOAD_SECONDS = 25;
/** "Previous" within this much of the start goes back a track, later to the start. */
const RESTART_SECONDS = 3;
/** A broken line is tried again at these distances before the person is asked. */
const RECOVER_MS = [1_000, 2_000, 4_000, 8_000];

/** The one player: two audio elements that take turns, the queue, and what the server is told of it. */
class Player {
  #queue = new Queue((order) => this.#keeper?.changed(order));
  #volume = new Volume();
  #state = $state<PlayerState>('empty');
  #position = $state(0);
  #duration = $state(0);
  #decks: HTMLAudioElement[] = [];
  #deck = 0;
  #playback = $state.raw<Playback | null>(null);
  /** Of the entry that is loaded, which may differ from the current one for a moment. */
  #loadedKey: string | null = null;
  #preloadedKey: string | null = null;
  /** Whether sound is wanted; the element's own `paused` lags behind while it loads. */
  #wanted = false;
  /** Tracks that failed in a row. */
  #failures = 0;
  #recovering = 0;
  #skip: { timer: ReturnType<typeof setTimeout>; toast: number } | null = null;
  #ticker: ReturnType<typeof setInterval> | undefined;
  /** Keeps the queue on this device, if the person wants that. */
  #keeper: QueueKeeper | null = null;

  get state(): PlayerState {
    return this.#state;
  }
  /** Whether sound is wanted and on its way, as the play button shows it. */
  get playing(): boolean {
    return this.#state === 'playing' || this.#state === 'loading';
  }
  get buffering(): boolean {
    return this.#state === 'loading';
  }
  get current(): Track | null {
    return this.#queue.current?.item ?? null;
  }
  /** The play that is under way, by the client's own id; null before anything was heard. */
  get sessionId(): string | null {
    return this.#playback?.session_id ?? null;
  }
  /** Seconds. */
  get position(): number {
    return this.#position;
  }
  /** Seconds; the file's own length once known, the library's before. */
  get duration(): number {
    return this.#duration || (this.current?.duration ?? 0);
  }
  /** 0 to 1. */
  get volume(): number {
    return this.#volume.level;
  }
  get muted(): boolean {
    return this.#volume.muted;
  }
  get shuffle(): boolean {
    return this.#queue.shuffle;
  }
  get repeat(): Repeat {
    return this.#queue.repeat;
  }
  get upcoming(): readonly QueueEntry<Track>[] {
    return this.#queue.upcoming;
  }
  get hasNext(): boolean {
    return this.#queue.following(false) !== null;
  }

  /** Takes the two audio elements of the root layout; called once. */
  attach(first: HTMLAudioElement, second: HTMLAudioElement): void {
    this.#decks = [first, second];
    for (const deck of this.#decks) {
      const on = (event: string, handler: (deck: HTMLAudioElement) => void) =>
        deck.addEventListener(event, () => deck === this.#active && handler(deck));
      on('playing', (one) => this.#onPlaying(one));
      on('pause', (one) => this.#onPause(one));
      on('waiting', (one) => this.#onWaiting(one));
      on('seeked', (one) => this.#onSeeked(one));
      on('ended', () => this.#onEnded());
      on('timeupdate', (one) => this.#onTime(one));
      on('durationchange', (one) => this.#onDuration(one));
      deck.addEventListener('error', () => {
        if (deck === this.#active) void this.#onError(deck);
        // What could not be fetched ahead is tried, and told, when its turn comes.
        else this.#preloadedKey = null;
      });
    }
    this.#volume.applyTo(this.#decks);
    connectMediaSession(this);
    addEventListener('pagehide', (event) => {
      // The page is going for good: the end is kept by the outbox and sent with the next visit if not now.
      this.#keepPlace();
      this.#keeper?.flush();
      if (event.persisted) return;
      this.#leave();
      outbox.leave();
    });
  }

  /** Keeps the queue of a person on this device. What was kept comes back paused, unless something is there already. */
  keepQueueOf(user_id: string): void {
    let kept: KeptQueue | null;
    try {
      this.#keeper = new QueueKeeper(localStorage, user_id);
      kept = this.#keeper.read();
    } catch (error) {
      console.debug('queue not kept', error);
      return;
    }
    if (this.current) this.#keeper.changed(this.#queue.order);
    else if (kept) {
      this.#queue.restore(kept.order);
      const length = kept.order.entries[kept.order.index]?.item.duration ?? Number.POSITIVE_INFINITY;
      this.#position = kept.position < length ? kept.position : 0;
      this.#state = 'paused';
    }
  }

  /** Forgets what is kept of a person's queue, and keeps nothing from now on. */
  forgetQueueOf(user_id: string): void {
    this.#keeper = null;
    try {
      new QueueKeeper(localStorage, user_id).forget();
    } catch (error) {
      console.debug('no storage to forget from', error);
    }
  }

  /** Plays a list from one of its tracks on; with `shuffle`, from any. */
  playTracks(tracks: readonly Track[], index = 0, options: { shuffle?: boolean } = {}): void {
    this.#failures = 0;
    this.#change(() => this.#queue.start(tracks, index, options.shuffle));
  }

  /** Adds tracks behind everything that waits; plays them if nothing is there. */
  enqueue(tracks: readonly Track[]): void {
    if (tracks.length === 0) return;
    if (!this.current) return this.playTracks(tracks);
    this.#rearrange(() => this.#queue.add(tracks, 'end'));
    toaster.show({ text: i18n.m.player.addedToQueue(tracks.length) });
  }

  /** Adds tracks right behind the current one. */
  playNext(tracks: readonly Track[]): void {
    if (tracks.length === 0) return;
    if (!this.current) return this.playTracks(tracks);
    this.#rearrange(() => this.#queue.add(tracks, 'next'));
    toaster.show({ text: i18n.m.player.playsNext(tracks.length) });
  }

  toggle(): void {
    if (this.playing) this.pause();
    else this.play();
  }

  play(): void {
    const entry = this.#queue.current;
    if (!entry) return;
    this.#cancelSkip();
    if (this.#state === 'failed' || this.#state === 'halted' || this.#loadedKey !== entry.key) {
      this.#failures = 0;
      this.#recovering = 0;
      this.#load(this.#position);
      return;
    }
    this.#wanted = true;
    this.#start();
  }

  pause(): void {
    this.#cancelSkip();
    this.#wanted = false;
    this.#active?.pause();
    if (this.#state === 'loading') this.#state = 'paused';
  }

  next(): void {
    this.#failures = 0;
    this.#goTo(this.#queue.following(false));
  }

  previous(): void {
    const entry = this.#queue.preceding();
    this.#failures = 0;
    if (this.#position > RESTART_SECONDS || entry === null) this.seek(0);
    else this.#goTo(entry);
  }

  /** Plays an entry of the queue now. */
  jumpTo(key: string): void {
    this.#failures = 0;
    this.#goTo({ key });
  }

  /** Goes to a place in the track, in seconds. */
  seek(seconds: number): void {
    const deck = this.#active;
    const entry = this.#queue.current;
    if (!deck || !entry || this.#state === 'failed') return;
    const to = Math.min(Math.max(0, seconds), Math.max(0, this.duration - 0.25));
    if (this.#loadedKey !== entry.key) {
      // Nothing is loaded yet, as after coming back: play begins there.
      if (this.#state === 'paused') this.#position = to;
      return;
    }
    // The place left is told before, the place reached after ("seeked"): the way between was not heard.
    this.#playback?.progress(deck.currentTime * 1000);
    this.#position = to;
    deck.currentTime = to;
  }

  seekBy(seconds: number): void {
    this.seek(this.#position + seconds);
  }

  setVolume(level: number): void {
    this.#volume.set(level);
    this.#volume.applyTo(this.#decks);
  }

  toggleMute(): void {
    this.#volume.toggleMute();
    this.#volume.applyTo(this.#decks);
    announce(`${i18n.m.player.mute}: ${this.muted ? i18n.m.common.on : i18n.m.common.off}`);
  }

  toggleShuffle(): void {
    this.#rearrange(() => this.#queue.toggleShuffle());
    announce(`${i18n.m.player.shuffle}: ${this.shuffle ? i18n.m.common.on : i18n.m.common.off}`);
  }

  cycleRepeat(): void {
    this.#rearrange(() => this.#queue.cycleRepeat());
    const words = { off: i18n.m.player.repeatOff, all: i18n.m.player.repeatAll, one: i18n.m.player.repeatOne };
    announce(words[this.repeat]);
  }

  removeFromQueue(key: string): void {
    if (key !== this.#queue.current?.key) this.#rearrange(() => this.#queue.remove(key));
  }

  /** Moves waiting entries before another, or to the end. */
  moveInQueue(keys: readonly string[], before: string | null): void {
    this.#rearrange(() => this.#queue.move(keys, before));
  }

  /** Drops what comes next; can be undone from the message. */
  clearUpcoming(): void {
    this.#preloadedKey = null;
    const onaction = this.#queue.clearUpcoming();
    toaster.show({ text: i18n.m.player.queueCleared, action: i18n.m.common.undo, onaction });
  }

  get #active(): HTMLAudioElement | undefined {
    return this.#decks[this.#deck];
  }
  /** Whether what the active element holds is what is current. */
  get #isLoaded(): boolean {
    return this.#loadedKey !== null && this.#loadedKey === this.#queue.current?.key;
  }

  /** Changes what waits; what was fetched ahead may no longer be next. */
  #rearrange(change: () => void): void {
    change();
    this.#preloadedKey = null;
  }

  #goTo(entry: { key: string } | null): void {
    if (entry) this.#change(() => this.#queue.goTo(entry.key));
  }

  /** Ends the current playback, changes what is current, and plays that. */
  #change(change: () => void): void {
    this.#cancelSkip();
    this.#leave();
    change();
    this.#position = 0;
    this.#duration = 0;
    this.#recovering = 0;
    this.#keepPlace();
    const track = this.current;
    if (!track) {
      this.#wanted = false;
      this.#state = 'empty';
      this.#loadedKey = null;
      this.#active?.pause();
      return;
    }
    announce(i18n.m.player.nowPlaying(track.title, track.artist ?? i18n.m.common.unknownArtist));
    this.#load(0);
  }

  /** Brings the current entry into an element and plays it from a place in it. */
  #load(fromSeconds: number): void {
    const entry = this.#queue.current;
    const before = this.#active;
    if (!entry || !before) return;
    const ready = this.#preloadedKey === entry.key && fromSeconds === 0;
    if (ready) this.#deck = 1 - this.#deck;
    const deck = this.#active;
    if (!deck) return;
    if (deck !== before) before.pause();
    this.#wanted = true;
    this.#loadedKey = entry.key;
    this.#preloadedKey = null;
    this.#state = 'loading';
    if (entry.item.missing) {
      deck.pause();
      this.#fail('missing');
      return;
    }
    if (!ready) deck.src = streamAddress(entry.item.id);
    if (fromSeconds > 0) deck.currentTime = fromSeconds;
    this.#onDuration(deck);
    this.#start();
  }

  #start(): void {
    const deck = this.#active;
    const key = this.#loadedKey;
    if (!deck) return;
    if (this.#state !== 'playing') this.#state = 'loading';
    deck.play().catch((error: unknown) => {
      if (key !== this.#loadedKey) return;
      // Sound without a press is not allowed: that needs a person, not a skip. Other reasons come as `error` events.
      if (error instanceof DOMException && error.name === 'NotAllowedError') {
        this.#wanted = false;
        this.#state = 'paused';
        toaster.show({ text: i18n.m.player.blocked });
      }
    });
  }

  #onPlaying(deck: HTMLAudioElement): void {
    const track = this.current;
    if (!track || !this.#isLoaded) return;
    this.#state = 'playing';
    this.#failures = 0;
    this.#recovering = 0;
    const position_ms = deck.currentTime * 1000;
    if (this.#playback) this.#playback.progress(position_ms, 'playing');
    else this.#playback = new Playback(track.id, position_ms, (report) => outbox.add(report));
    clearInterval(this.#ticker);
    this.#ticker = setInterval(() => {
      if (this.#state !== 'playing') return;
      this.#playback?.progress(deck.currentTime * 1000, 'playing');
      this.#keepPlace();
    }, REPORT_EVERY_MS);
    showMediaSession(track, this);
  }

  #onPause(deck: HTMLAudioElement): void {
    // At the end of a track `pause` comes before `ended`, and a failed one is told as failed.
    if (deck.ended || deck.error || this.#state === 'failed' || this.#state === 'halted') return;
    // Somebody else may have stopped it: a headset pulled out, another app.
    this.#wanted = false;
    this.#state = 'paused';
    clearInterval(this.#ticker);
    this.#playback?.progress(deck.currentTime * 1000, 'paused');
    this.#keepPlace();
  }

  #onWaiting(deck: HTMLAudioElement): void {
    if (!this.#wanted || this.#state === 'failed') return;
    // Waiting for data is not listening.
    if (this.#state === 'playing' && !deck.seeking) this.#playback?.progress(deck.currentTime * 1000, 'paused');
    this.#state = 'loading';
  }

  #onSeeked(deck: HTMLAudioElement): void {
    this.#position = deck.currentTime;
    this.#keepPlace();
    this.#playback?.progress(deck.currentTime * 1000);
    if (this.current) showMediaSession(this.current, this);
  }

  #onTime(deck: HTMLAudioElement): void {
    if (deck.seeking || !this.#isLoaded) return;
    this.#position = deck.currentTime;
    if (this.duration - deck.currentTime < PRELOAD_SECONDS && this.#state === 'playing') this.#preload();
  }

  #onDuration(deck: HTMLAudioElement): void {
    if (Number.isFinite(deck.duration)) this.#duration = deck.duration;
  }

  #onEnded(): void {
    const following = this.#queue.following(true);
    if (following) {
      this.#goTo(following);
      return;
    }
    // The list is over: stand at its last track's start, so that play plays it again.
    this.#leave();
    this.#wanted = false;
    this.#state = 'paused';
    this.#loadedKey = null;
    this.#position = 0;
  }

  #preload(): void {
    const entry = this.#queue.following(true);
    const spare = this.#decks[1 - this.#deck];
    if (!entry || !spare || entry.item.missing) return;
    if (entry.key === this.#preloadedKey || entry.key === this.#loadedKey) return;
    this.#preloadedKey = entry.key;
    spare.src = streamAddress(entry.item.id);
    spare.load();
  }

  #keepPlace(): void {
    if (this.current) this.#keeper?.at(this.#position);
  }

  /** The current playback is over, wherever it stands. */
  #leave(): void {
    clearInterval(this.#ticker);
    const seconds = this.#isLoaded ? (this.#active?.currentTime ?? 0) : this.#position;
    this.#playback?.complete(seconds * 1000);
    this.#playback = null;
  }

  async #onError(deck: HTMLAudioElement): Promise<void> {
    const key = this.#loadedKey;
    const track = this.current;
    if (!track || !this.#isLoaded || deck.error?.code === MediaError.MEDIA_ERR_ABORTED) return;
    if (this.#state === 'playing') this.#playback?.progress(this.#position * 1000, 'paused');
    if (this.#wanted) this.#state = 'loading';
    const kind = await failureOf(track.id);
    if (key !== this.#loadedKey) return;
    if (kind !== 'network') {
      this.#fail(kind);
      return;
    }
    const wait = RECOVER_MS[this.#recovering++];
    if (wait === undefined || !this.#wanted) {
      this.#halt(track);
      return;
    }
    setTimeout(() => {
      if (key === this.#loadedKey && this.#wanted) this.#load(this.#position);
    }, wait);
  }

  /** This track cannot be played here: say why and go on to the next. */
  #fail(kind: Exclude<FailureKind, 'network'>): void {
    const track = this.current;
    if (!track) return;
    const why = i18n.m.player[kind](track.title);
    this.#leave();
    this.#state = 'failed';
    this.#failures += 1;
    const following = this.#queue.following(false);
    // When everything in the list has failed in a row, going round again helps nobody.
    if (!following || this.#failures >= this.#queue.length) {
      this.#wanted = false;
      toaster.error(why);
      return;
    }
    const toast = toaster.error(`${why} ${i18n.m.player.skipping}`, {
      action: i18n.m.player.stay,
      onaction: () => this.#cancelSkip(),
    });
    this.#skip = { timer: setTimeout(() => this.#goTo(following), SKIP_AFTER_MS), toast };
  }

  /** The line is down: keep the place and wait for a press. */
  #halt(track: Track): void {
    this.#wanted = false;
    this.#state = 'halted';
    clearInterval(this.#ticker);
    toaster.error(i18n.m.player.network(track.title), { action: i18n.m.common.retry, onaction: () => this.play() });
  }

  #cancelSkip(): void {
    if (!this.#skip) return;
    clearTimeout(this.#skip.timer);
    toaster.dismiss(this.#skip.toast);
    this.#skip = null;
  }
}

export const player = new Player();
