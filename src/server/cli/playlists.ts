import { parseArgs } from 'node:util';
import { DomainError } from '#domain/errors.ts';
import { allPlaylistIds, renewPlaylist, repairPlaylist } from '#domain/playlists/repair-playlists.ts';
import { complain, RefusedError, say, withCtx, words } from './terminal.ts';
import type { RepairOutcome } from '#domain/playlists/repair-playlists.ts';
import type { Verb } from './terminal.ts';

/** What is not there is the operator's to know about. @throws RefusedError */
async function named<T>(id: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof DomainError && error.code === 'not_found')
      throw new RefusedError(`There is no playlist ${id}.`);
    throw error;
  }
}

/** Verifies the rows of one list, or of all, against their documents, and builds anew what differs. Exit code 1: a log cannot be read. */
export const repairPlaylists: Verb = async (args, settings) => {
  const { positionals } = parseArgs({ args, allowPositionals: true, options: {} });
  const only = positionals.length === 0 ? null : words(positionals, 'ID').ID;
  return withCtx(settings(), async (ctx) => {
    const counts: Record<RepairOutcome, number> = { sound: 0, repaired: 0, unreadable: 0 };
    for (const id of only === null ? await allPlaylistIds(ctx) : [only]) {
      const outcome = await named(id, () => repairPlaylist(ctx, id)).catch((error: unknown) => {
        // Deleted since they were listed: nothing to repair.
        if (only === null && error instanceof RefusedError) return null;
        throw error;
      });
      if (outcome === null) continue;
      counts[outcome]++;
      if (outcome === 'repaired') say(`${id}: its rows differed from its document and were built anew.`);
      if (outcome === 'unreadable')
        complain(`${id}: its log cannot be read; renew-playlist begins it anew from its rows.`);
    }
    say(`${counts.sound} sound, ${counts.repaired} repaired, ${counts.unreadable} unreadable.`);
    return counts.unreadable === 0 ? 0 : 1;
  });
};

/** Begins the document of a list anew from its present content. */
export const renewPlaylistVerb: Verb = async (args, settings) => {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { forget: { type: 'boolean', default: false } },
  });
  const { ID } = words(positionals, 'ID');
  const { epoch, from } = await withCtx(settings(), (ctx) =>
    named(ID, () => renewPlaylist(ctx, { playlist_id: ID, forgets: values.forget })),
  );
  say(`${ID} is in epoch ${epoch} now; copies of the document before it are not taken back.`);
  if (from === 'rows') say('Its log could not be read: it holds what its rows said.');
  if (values.forget) say('Its history and checkpoints are gone.');
  return 0;
};
