import { MAX_ENTRIES, addEntries, entriesOf } from '#contract/playlist-doc.ts';
import { PLAYLIST_DESCRIPTION_MAX, PLAYLIST_NAME_MAX } from '#contract/playlists.ts';
import { tracksByIds } from '../library/library.queries.ts';
import { openTrackFinder } from '../library/matching/track-finder.ts';
import { epochSeconds } from '../ports.ts';
import { createPlaylist } from './create-playlist.ts';
import { readPlaylistsApart } from './files/read-apart.ts';
import { oneLine } from './files/read-entry.ts';
import { showPlaylist } from './playlists.queries.ts';
import type { EntryTextValue, EntryValue } from '#contract/playlist-doc.ts';
import type { ImportedPlaylist, PlaylistImport } from '#contract/playlists.ts';
import type { Found } from '../library/matching/track-finder.ts';
import type { Actor, Ctx } from '../context.ts';
import type { NamedFile } from './files/read-files.ts';
import type { ReadEntry, ReadPlaylist } from './files/read-entry.ts';

/** Entries put into the document in one turn: what one update of it may hold is far above. */
const ENTRIES_PER_TURN = 1_000;
const UNNAMED = 'Imported playlist';

/**
 * Makes a playlist of each list in a file, private and the actor's own: what the library surely has by its tracks, the rest as
 * text with what it may be [PL61].
 * @throws DomainError unprocessable when the file is none we can read
 */
export async function importPlaylists(ctx: Ctx, actor: Actor, file: NamedFile): Promise<PlaylistImport> {
  const lists = await readPlaylistsApart(file);
  const finder = await openTrackFinder(ctx);
  const items: ImportedPlaylist[] = [];
  for (const list of lists) items.push(await importOne(ctx, actor, list, await finder.findAll(list.entries)));
  return { items };
}

async function importOne(
  ctx: Ctx,
  actor: Actor,
  list: ReadPlaylist,
  found: readonly Found[],
): Promise<ImportedPlaylist> {
  const { id } = await createPlaylist(ctx, actor, {
    name: oneLine(list.name, PLAYLIST_NAME_MAX) || UNNAMED,
    description: (list.description ?? '')
      .replace(/(?![\n\r\t])[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, '')
      .slice(0, PLAYLIST_DESCRIPTION_MAX)
      .trim(),
    is_public: false,
    is_collaborative: false,
  });
  const now = epochSeconds(ctx.clock);
  const added = list.entries.slice(0, MAX_ENTRIES).map((entry, i) => ({
    entry_id: ctx.ids.id(),
    value: toValue(entry, found[i], { added_by: actor.user_id, added_at: now }),
  }));
  for (let i = 0; i < added.length; i += ENTRIES_PER_TURN) {
    const part = added.slice(i, i + ENTRIES_PER_TURN);
    await ctx.playlistDocs.transact(id, actor.user_id, (doc) => {
      // A turn that was taken and not answered is not taken twice.
      addEntries(
        doc,
        part.filter(({ entry_id }) => !entriesOf(doc).has(entry_id)),
        null,
      );
    });
  }
  const candidates = await tracksByIds(
    ctx.db,
    found.flatMap((one) => (one.outcome === 'close' ? one.candidates.map(({ candidate }) => candidate.id) : [])),
  );
  const entries = added.map(({ entry_id, value }, position): ImportedPlaylist['entries'][number] => {
    const one = found[position] ?? { outcome: 'none' };
    const { title, artist, album } = list.entries[position] as ReadEntry;
    return {
      entry_id,
      position,
      text: { title, artist, album },
      outcome: one.outcome,
      track_id: value.track_id,
      reason: one.outcome === 'match' ? one.reason : null,
      score: one.outcome === 'match' ? one.score : null,
      candidates:
        one.outcome !== 'close'
          ? []
          : one.candidates.flatMap(({ candidate, score, reason }) => {
              const track = candidates.get(candidate.id);
              return track === undefined ? [] : [{ track, score, reason }];
            }),
    };
  });
  const count = (outcome: Found['outcome']) => entries.filter((entry) => entry.outcome === outcome).length;
  return {
    playlist: await showPlaylist(ctx, actor, id, 'owner'),
    matched: count('match'),
    close: count('close'),
    missing: count('none'),
    entries,
    skipped: list.skipped,
  };
}

function toValue(
  entry: ReadEntry,
  found: Found | undefined,
  added: Pick<EntryValue, 'added_by' | 'added_at'>,
): EntryValue {
  if (found?.outcome === 'match') return { track_id: found.candidate.id, ...added };
  return { track_id: null, text: textOf(entry), ...added };
}

/** What is kept of an entry that is not in the library, so that it can be found later and is exported again. */
function textOf({ title, artist, album, duration_ms, isrc, recording_mbid }: ReadEntry): EntryTextValue {
  return {
    title,
    artist: artist ?? '',
    ...(album === null ? {} : { album }),
    ...(duration_ms === null ? {} : { duration_ms }),
    ...(isrc === null ? {} : { isrc }),
    ...(recording_mbid === null ? {} : { mbid: recording_mbid }),
  };
}
