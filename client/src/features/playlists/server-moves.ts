import type * as Y from 'yjs';

/** As for other edits: about 40 kB an update. */
const CHUNK = 500;

/** An act of mine that the server carried out on the order of a list, as a sorting. */
export interface Move {
  before: ReadonlyMap<string, string | undefined>;
  after: ReadonlyMap<string, string | undefined>;
  /** How many acts of the same stack Yjs keeps below it. */
  depth: number;
}

/**
 * Order keys that the server set for me. Yjs keeps for undo only what was edited in this document, so these are kept beside its
 * stacks and take their turn between them; what somebody moved since stays where they put it.
 */
export class ServerMoves {
  readonly #order: Y.Map<string>;
  /** Runs a transaction that Yjs files nowhere. */
  readonly #transact: (edit: () => void) => void;
  #done: Move[] = [];
  #undone: Move[] = [];

  constructor(order: Y.Map<string>, transact: (edit: () => void) => void) {
    this.#order = order;
    this.#transact = transact;
  }

  get canUndo(): boolean {
    return this.#done.length > 0;
  }
  get canRedo(): boolean {
    return this.#undone.length > 0;
  }

  /** The key of every entry as it is now. */
  keys(): Map<string, string | undefined> {
    return new Map(this.#order.entries());
  }
  /** How many entries have another key than they had. */
  changedSince(before: ReadonlyMap<string, string | undefined>): number {
    return [...before].filter(([id, key]) => this.#order.get(id) !== key).length;
  }

  /** Files an act that is in the document by now; `depth` is how many acts Yjs could undo. */
  file(before: ReadonlyMap<string, string | undefined>, depth: number): Move {
    const after = new Map([...before.keys()].map((id) => [id, this.#order.get(id)] as const));
    const move = { before, after, depth };
    this.#done.push(move);
    this.#undone = [];
    return move;
  }
  /** A new edit of mine: what was undone cannot be done again. */
  dropUndone(): void {
    this.#undone = [];
  }

  /** Whether the last act to be reversed is one of these, `depth` being how many Yjs has in that direction. */
  isNext(which: 'undo' | 'redo', depth: number): boolean {
    const last = (which === 'undo' ? this.#done : this.#undone).at(-1);
    return last !== undefined && depth <= last.depth;
  }

  isLast(move: Move): boolean {
    return this.#done.at(-1) === move;
  }

  /**
   * Reverses the last one; `otherDepth` is how many acts Yjs has in the other direction.
   * @returns how many places it set back, of how many.
   */
  reverse(which: 'undo' | 'redo', otherDepth: number): { changed: number; of: number } {
    const [from, to] = which === 'undo' ? [this.#done, this.#undone] : [this.#undone, this.#done];
    const move = from.pop();
    if (move === undefined) return { changed: 0, of: 0 };
    const [left, wanted] = which === 'undo' ? [move.after, move.before] : [move.before, move.after];
    const outcome = this.#set(left, wanted, this.#transact);
    to.push({ ...move, depth: otherDepth });
    return outcome;
  }

  /** Takes one of them back as a new edit, because others of mine came after it. */
  takeBack(move: Move, transact: (edit: () => void) => void): { changed: number; of: number } {
    this.#done = this.#done.filter((one) => one !== move);
    return this.#set(move.after, move.before, transact);
  }

  /** Sets the keys wanted, of those that are still as they were left. */
  #set(
    left: Move['before'],
    wanted: Move['before'],
    transact: (edit: () => void) => void,
  ): { changed: number; of: number } {
    const differing = [...wanted].filter(([id, key]) => left.get(id) !== key);
    const mine = differing.filter(([id]) => this.#order.has(id) && this.#order.get(id) === left.get(id));
    // In parts, because the server takes no update of more than 256 KiB.
    for (let i = 0; i < mine.length; i += CHUNK) {
      transact(() => {
        for (const [id, key] of mine.slice(i, i + CHUNK)) {
          if (key === undefined) this.#order.delete(id);
          else this.#order.set(id, key);
        }
      });
    }
    return { changed: mine.length, of: differing.length };
  }
}
