/**
 * Edits that could not be sent yet, kept on this device so that they survive a reload. Each tab keeps its own; what is
 * kept is the difference to what the server had, and applying it twice is applying it once.
 */
export interface Unsent {
  edits: number;
  /** A Yjs update; it needs the server's document to apply to. */
  update: Uint8Array;
}

function prefixOf(user_id: string, playlist_id: string): string {
  return `unsent:${user_id}:${playlist_id}:`;
}

/** Keeps a tab's unsent edits in place of those it kept before. @returns false when the device refuses. */
export function keepUnsent(
  storage: Storage,
  user_id: string,
  playlist_id: string,
  tab: string,
  unsent: Unsent,
): boolean {
  const signs = Array.from(unsent.update, (byte) => String.fromCharCode(byte)).join('');
  try {
    storage.setItem(prefixOf(user_id, playlist_id) + tab, JSON.stringify({ edits: unsent.edits, update: btoa(signs) }));
    return true;
  } catch (error) {
    // Full, or switched off by the person: only the view can tell them.
    console.warn('unsent edits are not kept', error);
    return false;
  }
}

/** What any tab of this person has kept for a playlist; unreadable leftovers are passed over. */
export function keptUnsent(storage: Storage, user_id: string, playlist_id: string): Unsent[] {
  const kept: Unsent[] = [];
  for (const key of keysOf(storage, user_id, playlist_id)) {
    try {
      const { edits, update } = JSON.parse(storage.getItem(key) ?? '') as { edits: number; update: string };
      kept.push({ edits, update: Uint8Array.from(atob(update), (sign) => sign.charCodeAt(0)) });
    } catch (error) {
      console.warn('unsent edits cannot be read', error);
    }
  }
  return kept;
}

/** Forgets what is kept for a playlist: all of it, or one tab's. */
export function dropUnsent(storage: Storage, user_id: string, playlist_id: string, tab?: string): void {
  const keys = tab === undefined ? keysOf(storage, user_id, playlist_id) : [prefixOf(user_id, playlist_id) + tab];
  for (const key of keys) storage.removeItem(key);
}

function keysOf(storage: Storage, user_id: string, playlist_id: string): string[] {
  const prefix = prefixOf(user_id, playlist_id);
  return Array.from({ length: storage.length }, (_, i) => storage.key(i) ?? '').filter((key) => key.startsWith(prefix));
}
