/* eslint-disable svelte/prefer-svelte-reactivity -- sets and maps are replaced whole ($state.raw), never changed in place */
import { presenceColour } from '../../lib/format.ts';
import { playlistWords } from '../../lib/playlist-words.ts';
import { announce } from '../../ui/live-region.svelte.ts';
import { session } from '../accounts/session.svelte.ts';
import { EditSummary } from './edit-summary.ts';
import type { RowMark } from '../tracks/grid-row.ts';
import type { RemoteChange } from './playlist-sync.ts';

/** How long a row tells what happened to it, and how often it is read out (design brief §6). */
const MARK_MS = 4_000;
const SUMMARY_MS = 5_000;

/** What others just did: marks on the rows for a moment, rows not seen yet, and a summary that is read out. */
export class RemoteMarks {
  #marks = $state.raw<ReadonlyMap<string, RowMark>>(new Map());
  #changes = $state.raw<ReadonlySet<string>>(new Set());
  readonly #nameOf: (user_id: string) => string | undefined;
  readonly #summary = new EditSummary();
  #summaryTimer: ReturnType<typeof setTimeout> | undefined;
  #timers = new Set<ReturnType<typeof setTimeout>>();

  constructor(nameOf: (user_id: string) => string | undefined) {
    this.#nameOf = nameOf;
  }

  get marks(): ReadonlyMap<string, RowMark> {
    return this.#marks;
  }
  /** Rows that were changed and have not been in view since. */
  get changes(): ReadonlySet<string> {
    return this.#changes;
  }

  seen(ids: readonly string[]): void {
    const rest = new Set(this.#changes);
    for (const id of ids) rest.delete(id);
    if (rest.size !== this.#changes.size) this.#changes = rest;
  }

  take(change: RemoteChange): void {
    this.#mark(change);
    const how = session.preferences.announce_edits;
    if (how === 'off') return;
    this.#summary.take(change);
    this.#summaryTimer ??= setTimeout(
      () => {
        this.#summaryTimer = undefined;
        announce(this.#summary.say(playlistWords().edit, (id) => (id === null ? undefined : this.#nameOf(id))));
      },
      how === 'all' ? 0 : SUMMARY_MS,
    );
  }

  close(): void {
    clearTimeout(this.#summaryTimer);
    for (const timer of this.#timers) clearTimeout(timer);
  }

  #mark(change: RemoteChange): void {
    const marks = new Map(this.#marks);
    const fresh: string[] = [];
    for (const { entry_id, added_by } of change.added) {
      const name = (added_by === null ? undefined : this.#nameOf(added_by)) ?? playlistWords().edit.somebody;
      const color = added_by === null ? 'var(--neon-cyan)' : presenceColour(added_by);
      marks.set(entry_id, { name, color, verb: 'added' });
      fresh.push(entry_id);
    }
    // The document does not say who moved or restored a row, so nobody is named.
    for (const verb of ['moved', 'restored'] as const) {
      for (const id of change[verb]) {
        marks.set(id, { name: '', color: 'var(--neon-cyan)', verb });
        fresh.push(id);
      }
    }
    if (fresh.length === 0) return;
    this.#marks = marks;
    this.#changes = new Set([...this.#changes, ...fresh]);
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      const rest = new Map(this.#marks);
      for (const id of fresh) if (rest.get(id) === marks.get(id)) rest.delete(id);
      this.#marks = rest;
    }, MARK_MS);
    this.#timers.add(timer);
  }
}
