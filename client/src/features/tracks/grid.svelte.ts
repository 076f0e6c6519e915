/* eslint-disable svelte/prefer-svelte-reactivity -- sets and maps are replaced whole ($state.raw), never changed in place */
import { NOTHING, actedOn, selectedOnly, selectedTo, stepMoveOf, stepped, toggled, withIds } from './grid-selection.ts';
import type { Selection } from './grid-selection.ts';

/** Focus and selection of one grid, as its component draws them. */
export class GridState {
  // Apart from each other, so that a step of the focus does not redraw what depends on ten thousand ids.
  #ids = $state.raw(NOTHING.ids);
  #places = $state.raw(NOTHING.places);
  #chosen = $state.raw(NOTHING.chosen);
  #selected = $state.raw(NOTHING.selected);
  #from: string | null = null;
  /** 0 is the row itself, 1 its first cell. */
  cell = $state(0);

  get ids(): readonly string[] {
    return this.#ids;
  }
  get selected(): ReadonlySet<string> {
    return this.#selected;
  }
  get focused(): string | null {
    return this.#chosen ?? this.#ids[0] ?? null;
  }
  get chosen(): string | null {
    return this.#chosen;
  }

  /** Where a row stands now; -1 when it is gone. */
  placeOf(id: string | null): number {
    return id === null ? -1 : (this.#places.get(id) ?? -1);
  }
  sync(ids: readonly string[]): void {
    const chosen = this.#chosen;
    this.#take(withIds(this.#now(), ids));
    if (this.#chosen !== chosen) this.cell = 0;
  }
  focus(id: string, cell = 0): void {
    this.#chosen = id;
    this.cell = cell;
  }
  /** @returns the row focused then; null in an empty list. */
  step(by: number, extend = false): string | null {
    this.#take(stepped(this.#now(), by, extend));
    return this.#chosen;
  }
  select(id: string): void {
    this.#take(selectedOnly(this.#now(), id));
  }
  toggle(id: string): void {
    this.#take(toggled(this.#now(), id));
  }
  selectTo(id: string): void {
    this.#take(selectedTo(this.#now(), id));
  }
  selectAll(): void {
    this.#selected = new Set(this.#ids);
  }
  clear(): void {
    this.#selected = new Set();
    this.#from = null;
  }
  actedOn(id: string): string[] {
    return actedOn(this.#now(), id);
  }
  /** The selected rows in list order. */
  selectedInOrder(): string[] {
    return this.#ids.filter((id) => this.#selected.has(id));
  }
  stepMove(id: string, direction: 'up' | 'down'): { ids: string[]; before: string | null } | undefined {
    return stepMoveOf(this.#now(), id, direction);
  }

  #now(): Selection {
    return { ids: this.#ids, places: this.#places, chosen: this.#chosen, selected: this.#selected, from: this.#from };
  }
  #take(next: Selection): void {
    this.#ids = next.ids;
    this.#places = next.places;
    this.#chosen = next.chosen;
    this.#selected = next.selected;
    this.#from = next.from;
  }
}
