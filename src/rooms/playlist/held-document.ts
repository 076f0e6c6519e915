import * as Y from 'yjs';
import { documentOf } from '#domain/playlists/document.ts';
import { encodeStep2, encodeUpdate } from './protocol.ts';

/** A document larger than this is opened from its stored bytes, and kept ready for the next who asks for all of it. */
const LARGE_BYTES = 256 * 1024;
/** Changes sent after kept bytes: beyond this they are made anew. */
const TAIL_MAX_BYTES = 256 * 1024;
const TAIL_MAX_FRAMES = 500;

/**
 * A room's document. A large one is taken in only when somebody edits it or lacks a part of it: whoever has nothing yet is sent the
 * stored bytes as they are, which the server would otherwise take apart and put together again.
 */
export interface HeldDocument {
  /** Takes a large one in at first use. */
  readonly doc: Y.Doc;
  /** What an id of the document's own is; null while it is not taken in and so has none. */
  readonly clientID: number | null;
  stateVector(): Uint8Array;
  /** The frames that bring a client with nothing up to date: the document, and what changed since its bytes were made. */
  whole(): readonly Uint8Array[];
  /** A frame with a change that is in the document has gone out. */
  told(frame: Uint8Array): void;
  /** Goes back to what is stored. @throws Error when it has a gap or cannot be read */
  reload(updates: readonly Uint8Array[]): void;
  destroy(): void;
}

interface Whole {
  frames: Uint8Array[];
  tailBytes: number;
}

/** Holds what is stored; `onLoad` hears of every document that is taken in. @throws Error when it has a gap or cannot be read */
export function holdDocument(stored: readonly Uint8Array[], onLoad: (doc: Y.Doc) => void): HeldDocument {
  let doc: Y.Doc | null = null;
  let updates: readonly Uint8Array[] = [];
  let clocks = new Map<number, number>();
  let whole: Whole | null = null;

  function take(given: readonly Uint8Array[]): void {
    whole = null;
    const [base, ...tail] = given;
    const tailBytes = tail.reduce((sum, bytes) => sum + bytes.byteLength, 0);
    const isLarge = base !== undefined && base.byteLength > LARGE_BYTES;
    if (isLarge && tailBytes <= TAIL_MAX_BYTES && tail.length <= TAIL_MAX_FRAMES) {
      // Read to the end, so that what cannot be read is refused here, before anybody is sent it.
      clocks = clocksOf(given);
      updates = given;
      doc = null;
      whole = { frames: [encodeStep2(base), ...tail.map(encodeUpdate)], tailBytes };
      return;
    }
    load(given);
  }

  function load(given: readonly Uint8Array[]): Y.Doc {
    doc = documentOf(given);
    updates = [];
    onLoad(doc);
    return doc;
  }

  take(stored);
  return {
    get doc() {
      return doc ?? load(updates);
    },
    get clientID() {
      return doc?.clientID ?? null;
    },
    stateVector: () => (doc === null ? Y.encodeStateVector(clocks) : Y.encodeStateVector(doc)),
    whole() {
      if (whole !== null) return whole.frames;
      const frame = encodeStep2(Y.encodeStateAsUpdate(this.doc));
      if (frame.byteLength > LARGE_BYTES) whole = { frames: [frame], tailBytes: 0 };
      return [frame];
    },
    told(frame) {
      if (whole === null) return;
      whole.frames.push(frame);
      whole.tailBytes += frame.byteLength;
      if (whole.tailBytes > TAIL_MAX_BYTES || whole.frames.length > TAIL_MAX_FRAMES) whole = null;
    },
    reload(given) {
      const before = doc;
      take(given);
      before?.destroy();
    },
    destroy: () => void doc?.destroy(),
  };
}

/** How far each client's structs go. @throws Error when they cannot be read, or do not follow on one another */
function clocksOf(updates: readonly Uint8Array[]): Map<number, number> {
  const clocks = new Map<number, number>();
  for (const bytes of updates) {
    const { from, to } = Y.parseUpdateMeta(bytes);
    for (const [client, clock] of from) {
      if (clock > (clocks.get(client) ?? 0)) throw new Error('the stored log of a playlist has a gap');
    }
    for (const [client, clock] of to) clocks.set(client, Math.max(clock, clocks.get(client) ?? 0));
  }
  return clocks;
}
