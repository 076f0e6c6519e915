import { favoriteWords } from '../../lib/favorite-words.ts';
import { i18n } from '../../lib/i18n.svelte.ts';
import { problemText } from '../../lib/problem-text.ts';
import { announce } from '../../ui/live-region.svelte.ts';
import { toaster } from '../../ui/toaster.svelte.ts';
import { marks } from './marks.svelte.ts';
import type { MarkChange } from './marks.svelte.ts';

type Changes = readonly (MarkChange & { track_id: string })[];

/** As `marks.change`; what is refused is said aloud, and can be tried again where that may help. */
async function changeAloud(changes: Changes, done: () => void): Promise<void> {
  const problem = await marks.change(changes);
  if (problem === null) {
    done();
    return;
  }
  toaster.error(
    `${favoriteWords().failed}: ${problemText(problem)}`,
    problem.retryable ? { action: i18n.m.common.retry, onaction: () => void changeAloud(changes, done) } : {},
  );
}

/** Gives or takes hearts; taking, or many at once, can be undone, with the days the hearts had. */
export function setHearts(track_ids: readonly string[], is_favorite: boolean): Promise<void> {
  const words = favoriteWords();
  const before = track_ids.map((track_id) => ({ track_id, ...marks.of(track_id) }));
  const changed = before.filter((held) => held.is_favorite !== is_favorite);
  const text = is_favorite ? words.added(track_ids.length) : words.removed(track_ids.length);
  return changeAloud(
    track_ids.map((track_id) => ({ track_id, is_favorite })),
    () => {
      if (changed.length === 0 || (is_favorite && changed.length === 1)) announce(text);
      else
        undoable(
          text,
          changed.map(({ track_id, favorited_at }) => backTo(track_id, favorited_at)),
        );
    },
  );
}

const backTo = (track_id: string, favorited_at: number | null) =>
  favorited_at === null ? { track_id, is_favorite: false } : { track_id, is_favorite: true, favorited_at };

/** Gives the same stars to tracks, or takes them (null); with many it can be undone. */
export function setStars(track_ids: readonly string[], rating: number | null): Promise<void> {
  const words = favoriteWords();
  const before = track_ids.map((track_id) => ({ track_id, rating: marks.of(track_id).rating }));
  const text = rating === null ? words.cleared(track_ids.length) : words.ratedAll(track_ids.length);
  return changeAloud(
    track_ids.map((track_id) => ({ track_id, rating })),
    () => {
      if (before.length === 1 && rating !== null) announce(words.stars(rating));
      else undoable(text, before);
    },
  );
}

function undoable(text: string, back: Changes): void {
  toaster.show({ text, action: i18n.m.common.undo, onaction: () => void changeAloud(back, () => undefined) });
}

/** Gives an album or artist a heart, or takes it. */
export async function setLiked(
  kind: 'album' | 'artist',
  thing: { id: string; title: string },
  is_favorite: boolean,
): Promise<void> {
  const problem = await marks.like(kind, thing.id, is_favorite);
  if (problem === null)
    announce(is_favorite ? favoriteWords().liked(thing.title) : favoriteWords().unliked(thing.title));
  else {
    toaster.error(
      `${favoriteWords().failed}: ${problemText(problem)}`,
      problem.retryable ? { action: i18n.m.common.retry, onaction: () => void setLiked(kind, thing, is_favorite) } : {},
    );
  }
}
