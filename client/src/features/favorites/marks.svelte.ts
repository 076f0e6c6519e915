import { SvelteMap } from 'svelte/reactivity';
import { api } from '../../lib/api.ts';
import { gateway } from '../../lib/gateway.svelte.ts';
import { asProblem } from '../../lib/problem.ts';
import type { ApiProblem } from '../../lib/problem.ts';
import type { Mark } from '#contract/favorites.ts';

/** What a person holds of a track, as it is shown. */
export interface Held {
  is_favorite: boolean;
  favorited_at: number | null;
  rating: number | null;
  has_note: boolean;
}
/** What is to become of it; what is not named stays. */
export interface MarkChange {
  is_favorite?: boolean;
  favorited_at?: number;
  rating?: number | null;
}
type Stored = Omit<Held, 'is_favorite'> & { version: number };

const NOTHING: Stored = { favorited_at: null, rating: null, has_note: false, version: -1 };
/** As many as the server changes at once. */
const CHANGED_AT_ONCE = 500;
/** Tracks asked for in one question. */
const ASKED_AT_ONCE = 200;
/** After a break so many of those last asked for are asked for again. */
const ASKED_AGAIN = 400;
const SOON_MS = 30;

/** What hearts are given to. */
export type HeldKind = 'track' | 'album' | 'artist';
interface Answer {
  items: Mark[];
  albums: LikedMark[];
  artists: LikedMark[];
}
type LikedMark = Pick<Mark, 'notes' | 'favorited_at' | 'version'> & { id: string };

/** Hearts and stars of what is on the page: shown as wished at once, and as the server has them in the end. */
export class Marks {
  /** By the id of a track, album or artist: no two of them are alike. */
  #stored = new SvelteMap<string, Stored>();
  /** What was wished and is not answered yet, in order. */
  #wishes = new SvelteMap<string, readonly MarkChange[]>();
  #asked: Record<string, HeldKind> = {};
  #waiting: Record<string, HeldKind> = {};
  #isOn = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Begins to hear what other devices change. */
  start(): void {
    if (this.#isOn) return;
    this.#isOn = true;
    gateway.on('favorites:changed', (change) => {
      if (change.kind === 'track') for (const mark of change.marks) this.#take(mark.track_id, mark);
      else this.#take(change.id, { ...change, rating: null });
    });
    gateway.onLive(() => {
      const again = Object.entries(this.#asked).slice(-ASKED_AGAIN);
      this.#asked = {};
      for (const [id, kind] of again) this.want([id], kind);
    });
  }

  /** Forgets all, as at sign-out. */
  forget(): void {
    this.#stored.clear();
    this.#wishes.clear();
    this.#asked = {};
    this.#waiting = {};
  }

  /** What is shown of a track, album or artist. */
  of(id: string): Held {
    const stored = this.#stored.get(id) ?? NOTHING;
    const held: Held = { ...stored, is_favorite: stored.favorited_at !== null };
    for (const wish of this.#wishes.get(id) ?? []) {
      if (wish.is_favorite !== undefined) held.is_favorite = wish.is_favorite;
      if (wish.rating !== undefined) held.rating = wish.rating;
    }
    return held;
  }

  /** Says that these are shown: what is held of them is asked for, once, many at a time. */
  want(ids: Iterable<string>, kind: HeldKind = 'track'): void {
    for (const id of ids) {
      if (id in this.#asked) continue;
      this.#asked[id] = kind;
      this.#waiting[id] = kind;
    }
    if (Object.keys(this.#waiting).length > 0) this.#timer ??= setTimeout(() => void this.#ask(), SOON_MS);
  }

  async #ask(): Promise<void> {
    this.#timer = undefined;
    const waiting = Object.entries(this.#waiting);
    const some = waiting.slice(0, ASKED_AT_ONCE);
    this.#waiting = Object.fromEntries(waiting.slice(ASKED_AT_ONCE));
    this.want([]);
    // All of them were forgotten meanwhile.
    if (some.length === 0) return;
    const idsOf = (kind: HeldKind) => some.flatMap(([id, its]) => (its === kind ? [id] : [])).join(',');
    try {
      const { items, albums, artists } = await api.get<Answer>('/favorites/marks', {
        track_ids: idsOf('track'),
        album_ids: idsOf('album'),
        artist_ids: idsOf('artist'),
      });
      for (const mark of items) this.#take(mark.track_id, toldOf(mark));
      for (const mark of [...albums, ...artists]) this.#take(mark.id, toldOf({ ...mark, rating: null }));
    } catch {
      // Not known is shown as not held; it is asked for again when it is next shown.
      for (const [id] of some) delete this.#asked[id];
    }
  }

  /** Takes what the server says, unless something later is known already. */
  #take(id: string, { version, rating, favorited_at, has_note }: Stored): void {
    if ((this.#stored.get(id)?.version ?? -1) > version) return;
    this.#stored.set(id, { version, rating, favorited_at, has_note });
  }

  /** Takes what a list has read anyway. */
  know(marks: readonly Mark[]): void {
    for (const mark of marks) {
      this.#asked[mark.track_id] = 'track';
      this.#take(mark.track_id, toldOf(mark));
    }
  }

  /**
   * Changes tracks at once, then asks the server, whose answer counts; a refusal takes all of it back.
   * @returns the refusal, or null
   */
  change(changes: readonly (MarkChange & { track_id: string })[]): Promise<ApiProblem | null> {
    return this.#wish(
      changes.map(({ track_id, ...wish }) => ({ id: track_id, wish })),
      async () => {
        for (let i = 0; i < changes.length; i += CHANGED_AT_ONCE) {
          const { items } = await api.put<{ items: Mark[] }>('/favorites', {
            marks: changes.slice(i, i + CHANGED_AT_ONCE),
          });
          for (const mark of items) this.#take(mark.track_id, toldOf(mark));
        }
      },
    );
  }

  /** As `change`, the heart of an album or artist. */
  like(kind: 'album' | 'artist', id: string, is_favorite: boolean): Promise<ApiProblem | null> {
    return this.#wish([{ id, wish: { is_favorite } }], async () => {
      if (!is_favorite) {
        await api.del(`/favorites/${kind}s/${id}`);
        // The answer is empty; the version that was taken is not known, so the server is asked.
        delete this.#asked[id];
        this.want([id], kind);
        const known = this.#stored.get(id);
        if (known) this.#stored.set(id, { ...known, favorited_at: null });
        return;
      }
      const mark = await api.post<LikedMark>(`/favorites/${kind}s`, { [`${kind}_id`]: id });
      this.#take(id, toldOf({ ...mark, rating: null }));
    });
  }

  async #wish(
    wishes: readonly { id: string; wish: MarkChange }[],
    send: () => Promise<void>,
  ): Promise<ApiProblem | null> {
    for (const { id, wish } of wishes) this.#wishes.set(id, [...(this.#wishes.get(id) ?? []), wish]);
    try {
      await send();
      // What was wished before is overtaken: the versions tell what holds.
      this.#answered(wishes, true);
      return null;
    } catch (error) {
      this.#answered(wishes, false);
      return asProblem(error);
    }
  }

  #answered(wishes: readonly { id: string; wish: MarkChange }[], isDone: boolean): void {
    for (const { id, wish } of wishes) {
      const known = this.#wishes.get(id) ?? [];
      const at = known.indexOf(wish);
      const left = isDone ? known.slice(at + 1) : known.toSpliced(at, at < 0 ? 0 : 1);
      if (left.length === 0) this.#wishes.delete(id);
      else this.#wishes.set(id, left);
    }
  }
}

function toldOf({
  version,
  rating,
  favorited_at,
  notes,
}: Pick<Mark, 'version' | 'rating' | 'favorited_at' | 'notes'>): Stored {
  return { version, rating, favorited_at, has_note: notes !== null };
}

export const marks = new Marks();
