import { SvelteMap } from 'svelte/reactivity';
import { api } from '../../lib/api.ts';
import { clock } from '../../lib/clock.svelte.ts';
import { gateway } from '../../lib/gateway.svelte.ts';
import { asProblem } from '../../lib/problem.ts';
import { isLive, isNewer, livePosition } from './live-position.ts';
import type { ListeningUpdate } from '#contract/listens.ts';
import type { OwnPresence, PresenceStatus } from '#contract/presence.ts';
import type { Followee } from '#contract/social.ts';
import type { ApiProblem } from '../../lib/problem.ts';

/** How somebody is grouped: by what they hear, else by whether they are here. */
export type FriendGroup = 'listening' | PresenceStatus;
const GROUPS: readonly FriendGroup[] = ['listening', 'online', 'away', 'offline'];

interface Page<T> {
  items: T[];
  next_cursor: string | null;
}

/** Pages read at most: the rail is for the living, not for a directory. */
const MAX_PAGES = 5;
const TICK_MS = 1_000;
/**
 * Somebody who plays is heard of every five seconds. Silence means their line broke, or that they no longer let me see
 * it: then the server is asked.
 */
const SILENCE_MS = 12_000;
/** Between two tracks a player is stopped for a moment: only after this much silence does somebody begin anew. */
const BREAK_MS = 120_000;

/** The people I follow, whether they are here, and what they hear, as the server lets me see it. */
class Friends {
  #people = $state.raw<readonly Followee[]>([]);
  #state = $state<'idle' | 'loading' | 'ready' | 'failed'>('idle');
  #problem = $state.raw<ApiProblem | null>(null);
  #presence = new SvelteMap<string, PresenceStatus>();
  #listening = new SvelteMap<string, ListeningUpdate>();
  /** Server time, told once a second while somebody's position moves. */
  #now = $state(clock.now());
  #ticker: ReturnType<typeof setInterval> | undefined;
  /** When the server last told of anybody, by the local clock, by user id. */
  #heardAt: Record<string, number> = {};
  /** When each began to listen, by the server's clock, by user id. */
  #since: Record<string, number> = {};
  #onsilence: (() => void)[] = [];
  #onbegin: ((person: Followee, update: ListeningUpdate) => void)[] = [];
  /** How I show myself; the server starts everybody as online. */
  own = $state<OwnPresence>('online');

  get state() {
    return this.#state;
  }
  get problem(): ApiProblem | null {
    return this.#problem;
  }

  /** Listening first, then here, away, and not here; by name within each. */
  get people(): readonly Followee[] {
    const rank = (person: Followee) => GROUPS.indexOf(this.groupOf(person.id));
    return [...this.#people].sort((a, b) => rank(a) - rank(b) || a.display_name.localeCompare(b.display_name));
  }

  /** The same in their groups; empty ones are left out. */
  get groups(): readonly { name: FriendGroup; people: readonly Followee[] }[] {
    const sorted = this.people;
    return GROUPS.map((name) => ({ name, people: sorted.filter(({ id }) => this.groupOf(id) === name) })).filter(
      ({ people }) => people.length > 0,
    );
  }

  groupOf(user_id: string): FriendGroup {
    return this.listeningOf(user_id) ? 'listening' : this.presenceOf(user_id);
  }

  /** Since when somebody has been listening without a long break, as far as was seen here: epoch milliseconds. */
  sinceOf(user_id: string): number | null {
    return this.#since[user_id] ?? null;
  }

  /** Starts listening to the server and reads who I follow. */
  async open(): Promise<void> {
    if (this.#state !== 'idle') return;
    this.#state = 'loading';
    gateway.on('listening:update', (update) => {
      const began =
        update.state === 'playing' &&
        !isLive(this.#listening.get(update.user_id), clock.now()) &&
        Date.now() - (this.#heardAt[update.user_id] ?? 0) > BREAK_MS;
      this.#heard(update);
      if (began) this.#began(update);
    });
    gateway.on('presence:update', ({ user_id, status }) => {
      this.#presence.set(user_id, status);
      // Whoever is gone, or hides, is not shown listening; a new word follows if they are.
      if (status === 'offline') this.#listening.delete(user_id);
    });
    let first = true;
    gateway.onLive(() => {
      // What was missed while the line was down is read anew.
      if (!first) void this.reload();
      first = false;
    });
    await this.reload();
  }

  async reload(): Promise<void> {
    try {
      const people: Followee[] = [];
      let cursor: string | null = null;
      for (let page = 0; page < MAX_PAGES; page++) {
        const reply: Page<Followee> = await api.get<Page<Followee>>('/social/following', { limit: 200, cursor });
        people.push(...reply.items);
        cursor = reply.next_cursor;
        if (cursor === null) break;
      }
      for (const person of people) {
        this.#presence.set(person.id, person.presence);
        if (person.listening) this.#heard(person.listening);
        else this.#listening.delete(person.id);
      }
      this.#people = people;
      this.#problem = null;
      this.#state = 'ready';
    } catch (error) {
      this.#problem = asProblem(error);
      // What was known stays on the page.
      if (this.#state !== 'ready') this.#state = 'failed';
    }
  }

  presenceOf(user_id: string): PresenceStatus {
    return this.#presence.get(user_id) ?? 'offline';
  }

  /** Calls back when somebody playing has gone silent, for people I only watch. @returns the way to stop. */
  onSilence(handler: () => void): () => void {
    this.#onsilence.push(handler);
    return () => {
      this.#onsilence = this.#onsilence.filter((one) => one !== handler);
    };
  }

  /** Calls back when a friend (we follow each other) begins to listen, not at each track. @returns the way to stop. */
  onBegin(handler: (person: Followee, update: ListeningUpdate) => void): () => void {
    this.#onbegin.push(handler);
    return () => {
      this.#onbegin = this.#onbegin.filter((one) => one !== handler);
    };
  }

  /** What a person hears now, if they are known to. */
  listeningOf(user_id: string): ListeningUpdate | null {
    const update = this.#listening.get(user_id);
    return isLive(update, this.#now) ? update : null;
  }

  /** Seconds into their track; moves once a second. */
  positionOf(update: ListeningUpdate): number {
    return livePosition(update, this.#now);
  }

  /** Takes what the server said of one person outside of notices, as the answer to a watch. */
  learn(user_id: string, presence: PresenceStatus, listening: ListeningUpdate | null): void {
    this.#presence.set(user_id, presence);
    if (listening) this.#heard(listening);
    else this.#listening.delete(user_id);
  }

  #began(update: ListeningUpdate): void {
    // Before the list is read nobody is known to have been silent.
    const person = this.#state === 'ready' ? this.#people.find((one) => one.id === update.user_id) : undefined;
    if (person?.follows_me) for (const handler of this.#onbegin) handler(person, update);
  }

  #heard(update: ListeningUpdate): void {
    if (!isNewer(update, this.#listening.get(update.user_id))) return;
    const silentMs = Date.now() - (this.#heardAt[update.user_id] ?? 0);
    if (update.state !== 'stopped' && (this.#since[update.user_id] === undefined || silentMs > BREAK_MS)) {
      // They may have been at it longer than was seen here: at the least since this track began.
      this.#since[update.user_id] = update.at_ms - update.position_ms;
    }
    this.#listening.set(update.user_id, update);
    this.#heardAt[update.user_id] = Date.now();
    this.#tick();
    this.#ticker ??= setInterval(() => this.#tick(), TICK_MS);
  }

  #tick(): void {
    this.#now = clock.now();
    let moving = false;
    let silent = false;
    for (const update of this.#listening.values()) {
      if (update.state !== 'playing' || !isLive(update, this.#now)) continue;
      moving = true;
      if (Date.now() - (this.#heardAt[update.user_id] ?? 0) > SILENCE_MS) silent = true;
    }
    if (silent) this.#ask();
    if (moving) return;
    clearInterval(this.#ticker);
    this.#ticker = undefined;
  }

  /** Asks after everybody, at most once in a while. */
  #ask(): void {
    const now = Date.now();
    for (const id of Object.keys(this.#heardAt)) this.#heardAt[id] = now;
    void this.reload();
    for (const handler of this.#onsilence) handler();
  }
}

export const friends = new Friends();
