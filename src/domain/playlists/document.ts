import * as Y from 'yjs';
import { entriesOf, metaOf, orderOf } from '#contract/playlist-doc.ts';

/** Whether a document waits for something nobody has sent. */
export function isBroken(doc: Y.Doc): boolean {
  return doc.store.pendingStructs !== null || doc.store.pendingDs !== null;
}

/** What is stored of a playlist, as a document. @throws Error when its log has a gap or cannot be read */
export function documentOf(updates: readonly Uint8Array[]): Y.Doc {
  const doc = new Y.Doc();
  for (const root of [metaOf(doc), entriesOf(doc), orderOf(doc)]) void root.size;
  for (const bytes of updates) Y.applyUpdate(doc, bytes);
  if (!isBroken(doc)) return doc;
  doc.destroy();
  throw new Error('the stored log of a playlist has a gap');
}
