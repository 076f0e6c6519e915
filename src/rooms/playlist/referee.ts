/**
 * Judges an update before anybody else sees it, on its decoded structs and without a copy of the document.
 * Our documents hold three flat maps, so every honest struct is a map item with plain content; everything else is refused.
 */
import * as Y from 'yjs';
import { entriesOf, MAX_ENTRIES, MAX_UPDATE_BYTES } from '#contract/playlist-doc.ts';
import { checkEntry, isMeta, isOrderKey } from '#domain/playlists/playlists.rules.ts';
import { ID_PATTERN } from '#contract/primitives.ts';
import type { CloseReason } from '#contract/close-codes.ts';
import type { EntryTextValue, EntryValue } from '#contract/playlist-doc.ts';

/** Why an update was refused, as the close it leads to. */
export class Refusal extends Error {
  readonly reason: CloseReason;
  constructor(reason: CloseReason, detail: string) {
    super(detail);
    this.reason = reason;
  }
}

/** Longest run one struct may cover: longer ones only serve to use up somebody's clock. */
const MAX_STRUCT_LENGTH = 10_000;

type Decoded = ReturnType<typeof Y.decodeUpdate>;
type Struct = Decoded['structs'][number];

/** An update whose bytes could be read, not judged yet. */
export interface Reading {
  bytes: Uint8Array;
  decoded: Decoded;
  /** Track ids it names; their existence is looked up before it is judged. */
  track_ids: Set<string>;
  /** Entries it sets, for the ledger's word on them. */
  entry_ids: Set<string>;
}

export interface Verdict {
  /** False: the document has all of it already. */
  adds: boolean;
  /** Client ids that nobody has used in this document before. */
  newClients: number[];
}

/** What judging needs to know beside the document. */
export interface Knowledge {
  user_id: string;
  ownerOfClient(client_id: number): string | undefined;
  trackExists(track_id: string): boolean;
  /** The ledger's entry, also of one that was removed. */
  ledgerEntry(entry_id: string): { track_id: string | null; text: EntryTextValue | null } | undefined;
}

/** Decodes an update. @throws Refusal */
export function readUpdate(bytes: Uint8Array): Reading {
  if (bytes.byteLength > MAX_UPDATE_BYTES) throw new Refusal('too_large', 'an update holds at most 256 KiB');
  let decoded: Decoded;
  try {
    decoded = Y.decodeUpdate(bytes);
  } catch (error) {
    throw new Refusal('malformed', `not a Yjs update: ${error instanceof Error ? error.name : 'unreadable'}`);
  }
  const track_ids = new Set<string>();
  const entry_ids = new Set<string>();
  for (const struct of decoded.structs) {
    if (!(struct instanceof Y.Item) || !(struct.content instanceof Y.ContentAny)) continue;
    const value: unknown = struct.content.arr[0];
    if (typeof value !== 'object' || value === null) continue;
    if ('track_id' in value && typeof value.track_id === 'string') track_ids.add(value.track_id);
    if (struct.parentSub !== null) entry_ids.add(struct.parentSub);
  }
  return { bytes, decoded, track_ids, entry_ids };
}

/** Which root map and key an item belongs to. */
interface Place {
  root: string;
  key: string;
}

const ROOTS = ['meta', 'entries', 'order'] as const;

function rootNameOf(doc: Y.Doc, type: unknown): string | null {
  return ROOTS.find((name) => doc.share.get(name) === type) ?? null;
}

/**
 * Judges an update against the document it is to change. Changes nothing.
 * @throws Refusal when any part of it is not allowed; then none of it may be applied
 */
export function judge(doc: Y.Doc, { decoded }: Reading, knowledge: Knowledge): Verdict {
  const { structs, ds } = decoded;
  const ownStructs = new Map<number, Struct[]>();
  for (const struct of structs) {
    const mine = ownStructs.get(struct.id.client) ?? [];
    mine.push(struct);
    ownStructs.set(struct.id.client, mine);
  }
  const places = new Map<Struct, Place>();

  function find(id: Y.ID): Struct {
    if (id.clock < Y.getState(doc.store, id.client)) return Y.getItem(doc.store, id) as Struct;
    const found = ownStructs.get(id.client)?.find((s) => id.clock >= s.id.clock && id.clock < s.id.clock + s.length);
    if (found === undefined) throw new Refusal('malformed', 'refers to something that is not there');
    return found;
  }

  /** A later item of a key names the one before it instead of the key: follow it back to the one that does. */
  function placeOf(start: Struct): Place {
    const trail: Struct[] = [];
    let struct = start;
    let place = places.get(struct);
    while (place === undefined) {
      if (!(struct instanceof Y.Item) || trail.length > structs.length)
        throw new Refusal('schema', 'not an item of a map');
      trail.push(struct);
      const parent: unknown = struct.parent;
      if (typeof parent === 'string' || parent instanceof Y.AbstractType) {
        const root = typeof parent === 'string' ? parent : rootNameOf(doc, parent);
        if (root === null || struct.parentSub === null) throw new Refusal('schema', 'not an item of a root map');
        place = { root, key: struct.parentSub };
      } else if (parent === null && struct.origin !== null) {
        struct = find(struct.origin);
        place = places.get(struct);
      } else {
        throw new Refusal('schema', 'nested types are not part of a playlist');
      }
    }
    for (const passed of trail) places.set(passed, place);
    return place;
  }

  const known = new Map<number, number>();
  const newClients = new Set<number>();
  const newEntries = new Set<string>();
  let adds = false;
  for (const struct of structs) {
    const { client, clock } = struct.id;
    const state = known.get(client) ?? Y.getState(doc.store, client);
    const end = clock + struct.length;
    if (!(struct instanceof Y.Item)) throw new Refusal('malformed', 'a playlist has no gaps and nothing collected');
    if (struct.length > MAX_STRUCT_LENGTH || !Number.isSafeInteger(end))
      throw new Refusal('malformed', 'an impossible length');
    if (end <= state) continue;
    if (clock > state) throw new Refusal('malformed', 'a client clock that leaves a gap');
    known.set(client, end);
    adds = true;
    const owner = knowledge.ownerOfClient(client);
    if (owner !== undefined && owner !== knowledge.user_id)
      throw new Refusal('malformed', "another person's client id");
    if (owner === undefined) newClients.add(client);
    judgeItem(doc, struct, placeOf(struct), knowledge, newEntries);
  }
  const entries = entriesOf(doc);
  let total = entries.size;
  for (const id of newEntries) if (!entries.has(id)) total++;
  if (total > MAX_ENTRIES) throw new Refusal('too_large', `a playlist holds at most ${MAX_ENTRIES} entries`);

  for (const [client, ranges] of ds.clients) {
    const state = known.get(client) ?? Y.getState(doc.store, client);
    for (const { clock, len } of ranges) {
      if (clock + len > state) throw new Refusal('malformed', 'removes something that is not there');
      adds ||= !isAllDeleted(doc, client, clock, len);
    }
  }
  return { adds, newClients: [...newClients] };
}

function judgeItem(
  doc: Y.Doc,
  item: Y.Item,
  { root, key }: Place,
  knowledge: Knowledge,
  newEntries: Set<string>,
): void {
  if (item.rightOrigin !== null) throw new Refusal('schema', 'list items are not part of a playlist');
  const isEntryKeyed = root === 'entries' || root === 'order';
  if (isEntryKeyed ? !ID_PATTERN.test(key) : root !== 'meta') throw new Refusal('schema', 'a key that is not allowed');
  // Set and removed again before it was sent: nothing is left to look at.
  if (item.content instanceof Y.ContentDeleted) return;
  if (!(item.content instanceof Y.ContentAny) || item.content.arr.length !== 1) {
    throw new Refusal('schema', 'content that is not a plain value');
  }
  const value: unknown = item.content.arr[0];
  if (root === 'meta') {
    if (!isMeta(key, value)) throw new Refusal('schema', 'a name or description that is not allowed');
  } else if (root === 'order') {
    if (!isOrderKey(value)) throw new Refusal('schema', 'an order key that is not a fractional index');
  } else {
    const entry = checkEntry(value);
    if (entry === null) throw new Refusal('schema', 'an entry of the wrong shape');
    judgeEntry(doc, key, entry, knowledge);
    newEntries.add(key);
  }
}

/** An entry is set once; setting the same again is an undo of its removal. */
function judgeEntry(doc: Y.Doc, entry_id: string, entry: EntryValue, knowledge: Knowledge): void {
  if (entry.track_id !== null && !knowledge.trackExists(entry.track_id)) {
    throw new Refusal('schema', 'a track the library never had');
  }
  const live = entriesOf(doc).get(entry_id);
  const before =
    live === undefined ? knowledge.ledgerEntry(entry_id) : { track_id: live.track_id, text: live.text ?? null };
  if (before === undefined) return;
  const isSame = before.track_id === entry.track_id && sameText(before.text, entry.text ?? null);
  if (!isSame) throw new Refusal('schema', 'an entry is set once');
}

function sameText(a: EntryTextValue | null, b: EntryTextValue | null): boolean {
  if (a === null || b === null) return a === b;
  const keys = ['title', 'artist', 'album', 'duration_ms', 'isrc', 'mbid'] as const;
  return keys.every((key) => a[key] === b[key]);
}

function isAllDeleted(doc: Y.Doc, client: number, clock: number, len: number): boolean {
  const structs = doc.store.clients.get(client);
  if (structs === undefined || clock + len > Y.getState(doc.store, client)) return false;
  for (let i = Y.findIndexSS(structs, clock); i < structs.length; i++) {
    const struct = structs[i];
    if (struct === undefined || struct.id.clock >= clock + len) return true;
    if (!struct.deleted) return false;
  }
  return true;
}
