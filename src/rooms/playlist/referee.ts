/**
 * Judges an update before anybody else sees it, on its decoded structs and without a copy of the document.
 * Our documents hold three flat maps, so every honest struct is a map item with plain content; everything else is refused.
 */
import * as Y from 'yjs';
import { entriesOf, isOrderKey, MAX_ENTRIES, MAX_UPDATE_BYTES } from '#contract/playlist-doc.ts';
import { checkEntry, isMeta } from '#domain/playlists/playlists.rules.ts';
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

/** Refers to something the server does not have (yet): honest while a reconnected client's first sync is under way. */
export class Gap extends Refusal {
  constructor(detail: string) {
    super('malformed', detail);
  }
}

/** Longest run one struct may cover: longer ones only serve to use up somebody's clock. */
const MAX_STRUCT_LENGTH = 10_000;
/** Client ids one update may bring for the first time: those of a person's offline sittings. */
const MAX_NEW_CLIENTS = 20;

type Decoded = ReturnType<typeof Y.decodeUpdate>;
type Struct = Decoded['structs'][number];

/** An update whose bytes could be read, not judged yet. */
export interface Reading {
  decoded: Decoded;
  /** Track ids it names, some perhaps repeatedly; their existence is looked up before it is judged. */
  track_ids: string[];
  /** Entries it sets, for the ledger's word on them. */
  entry_ids: string[];
}

export interface Verdict {
  /** False: the document has all of it already. */
  adds: boolean;
  /** Client ids that nobody has used in this document before. */
  newClients: readonly number[];
  /** What it sets or takes away, each once. */
  touched: readonly Place[];
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
  const track_ids: string[] = [];
  const entry_ids: string[] = [];
  for (const struct of decoded.structs) {
    if (!(struct instanceof Y.Item) || !(struct.content instanceof Y.ContentAny)) continue;
    for (const value of struct.content.arr as unknown[]) {
      if (typeof value !== 'object' || value === null) continue;
      if ('track_id' in value && typeof value.track_id === 'string') track_ids.push(value.track_id);
      if (struct.parentSub !== null) entry_ids.push(struct.parentSub);
    }
  }
  return { decoded, track_ids, entry_ids };
}

/** What an update may not hold, whatever document it is for. @throws Refusal */
export function checkAlone({ decoded: { structs } }: Reading): void {
  for (const struct of structs) {
    requireItem(struct);
    const { parent, parentSub, rightOrigin, content } = struct;
    if (rightOrigin !== null) throw new Refusal('schema', 'list items are not part of a playlist');
    if (!(content instanceof Y.ContentDeleted || content instanceof Y.ContentAny))
      throw new Refusal('schema', 'content that is not a plain value');
    if (typeof parent !== 'string' || !isRoot(parent)) continue;
    if (parentSub === null || !isAllowedKey(parent, parentSub))
      throw new Refusal('schema', 'a key that is not allowed');
    if (content instanceof Y.ContentAny)
      for (const value of content.arr as unknown[]) checkValue(parent, parentSub, value);
  }
}

/** @throws Refusal */
function requireItem(struct: Struct): asserts struct is Y.Item {
  if (!(struct instanceof Y.Item)) throw new Refusal('malformed', 'a playlist has no gaps and nothing collected');
  const end = struct.id.clock + struct.length;
  if (struct.length < 1 || !Number.isSafeInteger(end)) throw new Refusal('malformed', 'an impossible length');
  // Yjs makes a root of any name it reads, also of an item it knows already.
  if (typeof struct.parent === 'string' && !isRoot(struct.parent)) throw new Refusal('schema', 'another root');
}

/** @returns the entry, of a value of that map. @throws Refusal */
function checkValue(root: Root, key: string, value: unknown): EntryValue | null {
  if (root === 'meta') {
    if (!isMeta(key, value)) throw new Refusal('schema', 'a name or description that is not allowed');
    return null;
  }
  if (root === 'order') {
    if (!isOrderKey(value)) throw new Refusal('schema', 'an order key that is not a fractional index');
    return null;
  }
  const entry = checkEntry(value);
  if (entry === null) throw new Refusal('schema', 'an entry of the wrong shape');
  return entry;
}

/** Whether an update says or removes anything of these client ids. */
export function namesAny({ decoded }: Reading, client_ids: ReadonlySet<number>): boolean {
  if (client_ids.size === 0) return false;
  return (
    decoded.structs.some((struct) => client_ids.has(struct.id.client)) ||
    [...decoded.ds.clients.keys()].some((client_id) => client_ids.has(client_id))
  );
}

/** Whether a state vector has anything of these client ids. @throws Refusal malformed */
export function knowsAny(stateVector: Uint8Array, client_ids: ReadonlySet<number>): boolean {
  try {
    return [...Y.decodeStateVector(stateVector).keys()].some((client_id) => client_ids.has(client_id));
  } catch (error) {
    throw new Refusal('malformed', `no state vector: ${error instanceof Error ? error.name : 'unreadable'}`);
  }
}

const ROOTS = ['meta', 'entries', 'order'] as const;
export type Root = (typeof ROOTS)[number];

/** Which root map and key an item belongs to. */
export interface Place {
  root: Root;
  key: string;
}

/** Whether an update removes all of what it says from `clock` to `end`. */
function isCovered(ds: Decoded['ds'], client: number, clock: number, end: number): boolean {
  return (ds.clients.get(client) ?? []).some((range) => range.clock <= clock && range.clock + range.len >= end);
}

/** The struct that covers a clock, among those of one client in their order. */
function structAt(structs: readonly Struct[], clock: number): Struct | undefined {
  let low = 0;
  let high = structs.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const struct = structs[middle]!;
    if (clock < struct.id.clock) high = middle;
    else if (clock >= struct.id.clock + struct.length) low = middle + 1;
    else return struct;
  }
  return undefined;
}

function isRoot(name: string): name is Root {
  return (ROOTS as readonly string[]).includes(name);
}

function rootNameOf(doc: Y.Doc, type: unknown): Root | null {
  return ROOTS.find((name) => doc.share.get(name) === type) ?? null;
}

/**
 * Judges an update against the document it is to change. Changes nothing.
 * @throws Refusal when any part of it is not allowed; then none of it may be applied
 */
export function judge(doc: Y.Doc, { decoded }: Reading, knowledge: Knowledge): Verdict {
  const { structs, ds } = decoded;
  // Made when they are needed, since most updates are two structs of one client.
  let ownStructs: Map<number, Struct[]> | null = null;
  let places: Map<Struct, Place> | null = null;

  function find(id: Y.ID): Struct {
    if (id.clock < Y.getState(doc.store, id.client)) return Y.getItem(doc.store, id) as Struct;
    ownStructs ??= Map.groupBy(structs, (struct) => struct.id.client);
    const found = structAt(ownStructs.get(id.client) ?? [], id.clock);
    if (found === undefined) throw new Gap('refers to something that is not there');
    return found;
  }

  /** Where an item is that names the map and key it belongs to. */
  function ownPlaceOf(struct: Struct): Place | null {
    if (!(struct instanceof Y.Item)) throw new Refusal('schema', 'not an item of a map');
    const parent: unknown = struct.parent;
    if (typeof parent !== 'string' && !(parent instanceof Y.AbstractType)) return null;
    const root = typeof parent === 'string' ? (isRoot(parent) ? parent : null) : rootNameOf(doc, parent);
    if (root === null || struct.parentSub === null) throw new Refusal('schema', 'not an item of a root map');
    return { root, key: struct.parentSub };
  }

  /** A later item of a key names the one before it instead of the key: follow it back to the one that does. */
  function placeOf(start: Struct): Place {
    let place = ownPlaceOf(start);
    if (place !== null) return place;
    places ??= new Map();
    const trail: Struct[] = [];
    let struct = start;
    for (;;) {
      place = places.get(struct) ?? ownPlaceOf(struct);
      if (place !== null) break;
      if (trail.length > structs.length) throw new Refusal('schema', 'not an item of a map');
      trail.push(struct);
      const { parent, origin } = struct as Y.Item;
      if (parent !== null || origin === null) throw new Refusal('schema', 'nested types are not part of a playlist');
      struct = find(origin);
    }
    for (const passed of trail) places.set(passed, place);
    return place;
  }

  /** How far the client goes whose structs are being judged, and the others. */
  let lastClient = -1;
  let lastState = 0;
  let known: Map<number, number> | null = null;
  const newClients: number[] = [];
  const newEntries: string[] = [];
  const touched: Place[] = [];
  let adds = false;
  const stateOf = (client: number) =>
    client === lastClient ? lastState : (known?.get(client) ?? Y.getState(doc.store, client));

  function judgeStruct(struct: Struct): void {
    const { client, clock } = struct.id;
    const state = stateOf(client);
    const end = clock + struct.length;
    requireItem(struct);
    if (end <= state) return;
    if (clock > state) throw new Gap('a client clock that leaves a gap');
    // What the document holds already may be long: Yjs joins what was overwritten.
    if (end - state > MAX_STRUCT_LENGTH) throw new Refusal('malformed', 'an impossible length');
    const owner = knowledge.ownerOfClient(client);
    const isNew = owner === undefined && newClients.includes(client);
    // An id that wrote before anybody owned one is the server's own.
    const isForeign = owner === undefined ? state > 0 && !isNew : owner !== knowledge.user_id;
    if (isForeign || client === doc.clientID) throw new Refusal('malformed', "somebody else's client id");
    const place = placeOf(struct);
    if (clock < state) {
      // Half of it is known: the new half must continue what is really there.
      const there = placeOf(find({ client, clock: state - 1 } as Y.ID));
      if (there.root !== place.root || there.key !== place.key) throw new Refusal('malformed', 'another past');
    }
    if (owner === undefined && !isNew) newClients.push(client);
    if (newClients.length > MAX_NEW_CLIENTS) throw new Refusal('too_fast', 'too many new client ids at once');
    if (client !== lastClient && lastClient !== -1) (known ??= new Map()).set(lastClient, lastState);
    lastClient = client;
    lastState = end;
    touched.push(place);
    adds = true;
    // Only overwritten values are ever joined into one item; each could come back by an undo, so each is judged.
    if (struct.length > 1 && !isCovered(ds, client, clock, end)) throw new Refusal('schema', 'several values at once');
    judgeItem(doc, struct, { place, offset: Math.max(0, state - clock) }, knowledge, newEntries);
  }

  function isWaiting(struct: Struct): boolean {
    const origin = struct instanceof Y.Item ? struct.origin : null;
    return origin !== null && origin.clock >= stateOf(origin.client);
  }

  // In an order in which Yjs could take them in; what cannot be reached waits for something that is not there.
  if (isOfOneClient(structs)) {
    for (const struct of structs) {
      if (isWaiting(struct)) throw new Gap('refers to something that is not there');
      judgeStruct(struct);
    }
  } else {
    ownStructs = Map.groupBy(structs, (struct) => struct.id.client);
    const waiting = new Map([...ownStructs].map(([client, mine]) => [client, { mine, next: 0 }]));
    for (let hasProgress = true; hasProgress;) {
      hasProgress = false;
      for (const [client, line] of waiting) {
        for (let struct = line.mine[line.next]; struct !== undefined; struct = line.mine[line.next]) {
          if (isWaiting(struct)) break;
          judgeStruct(struct);
          line.next += 1;
          hasProgress = true;
        }
        if (line.next === line.mine.length) waiting.delete(client);
      }
    }
    if (waiting.size > 0) throw new Gap('refers to something that is not there');
  }
  if (countWith(doc, newEntries) > MAX_ENTRIES)
    throw new Refusal('too_large', `a playlist holds at most ${MAX_ENTRIES} entries`);

  for (const [client, ranges] of ds.clients) {
    const state = stateOf(client);
    for (const { clock, len } of ranges) {
      // Yjs keeps an empty range for later and stumbles over it.
      if (len < 1) throw new Refusal('malformed', 'an impossible length');
      if (clock + len > state) throw new Gap('removes something that is not there');
      for (const item of liveIn(doc, client, clock, clock + len)) {
        adds = true;
        // What the document holds is an item of one of its maps, or it would not be there.
        const root = rootNameOf(doc, item.parent);
        if (root !== null && item.parentSub !== null) touched.push({ root, key: item.parentSub });
      }
    }
  }
  return { adds, newClients, touched: eachOnce(touched) };
}

function isOfOneClient(structs: readonly Struct[]): boolean {
  const client = structs[0]?.id.client;
  return structs.every((struct) => struct.id.client === client);
}

/** Most updates touch an entry and its place; looking through so few costs less than a set of them. */
const FEW = 8;

function eachOnce(places: readonly Place[]): readonly Place[] {
  if (places.length <= FEW) {
    return places.filter((one, i) => places.findIndex(({ root, key }) => root === one.root && key === one.key) === i);
  }
  return [...new Map(places.map((place) => [`${place.root} ${place.key}`, place])).values()];
}

/** Whether an entry was ever set in the document, also one that was removed since. */
export function wasEverSet(doc: Y.Doc, entry_id: string): boolean {
  return entriesOf(doc)._map.has(entry_id);
}

/** Entries of a list with these among them, exact where it comes near the limit: counting a map walks all of it. */
function countWith(doc: Y.Doc, added: readonly string[]): number {
  const entries = entriesOf(doc);
  const most = entries._map.size + added.length;
  if (most <= MAX_ENTRIES) return most;
  let total = entries.size;
  for (const id of new Set(added)) if (!entries.has(id)) total++;
  return total;
}

function isAllowedKey(root: Root, key: string): boolean {
  if (root === 'meta') return key === 'name' || key === 'description';
  return (root === 'entries' || root === 'order') && ID_PATTERN.test(key);
}

interface ItemPlace {
  place: Place;
  /** How many of its values the document has already. */
  offset: number;
}

function judgeItem(
  doc: Y.Doc,
  item: Y.Item,
  { place: { root, key }, offset }: ItemPlace,
  knowledge: Knowledge,
  newEntries: string[],
): void {
  if (item.rightOrigin !== null) throw new Refusal('schema', 'list items are not part of a playlist');
  if (!isAllowedKey(root, key)) throw new Refusal('schema', 'a key that is not allowed');
  // Set and removed again before it was sent: nothing is left to look at.
  if (item.content instanceof Y.ContentDeleted) return;
  if (!(item.content instanceof Y.ContentAny)) throw new Refusal('schema', 'content that is not a plain value');
  for (const value of item.content.arr.slice(offset) as unknown[]) {
    const entry = checkValue(root, key, value);
    if (entry === null) continue;
    judgeEntry(doc, key, entry, knowledge);
    newEntries.push(key);
  }
}

/** An entry is set once; setting the same again is an undo of its removal. */
function judgeEntry(doc: Y.Doc, entry_id: string, entry: EntryValue, knowledge: Knowledge): void {
  if (entry.track_id !== null && !knowledge.trackExists(entry.track_id)) {
    throw new Refusal('schema', 'a track the library never had');
  }
  const live = entriesOf(doc).get(entry_id);
  if (live !== undefined && (live.added_by !== entry.added_by || live.added_at !== entry.added_at)) {
    throw new Refusal('schema', 'an entry is set once');
  }
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

/** Items of a client in a document that are still there, between two of its clocks. */
function* liveIn(doc: Y.Doc, client: number, from: number, to: number): Generator<Y.Item> {
  const structs = doc.store.clients.get(client);
  if (structs === undefined || from >= Y.getState(doc.store, client)) return;
  for (let i = Y.findIndexSS(structs, from); i < structs.length; i++) {
    const struct = structs[i];
    if (struct === undefined || struct.id.clock >= to) return;
    if (struct instanceof Y.Item && !struct.deleted) yield struct;
  }
}
