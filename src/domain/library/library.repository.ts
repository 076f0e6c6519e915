/** The only SQL that writes the library's tables. */
import { markDaysOfTracks } from '../listens/stale-days.ts';
import { indexAlbums, indexArtists, indexTracks } from '../search/index-items.ts';
import { albumArtistOf, nameKey, searchText, sortColumns, sortKey } from './library.rules.ts';
import { READER_VERSION } from './read-track.ts';
import type { StoredCover } from './covers.ts';
import type { TrackTags } from './library.rules.ts';
import type { ScanProblemsTable, TracksTable } from './library.table.ts';
import type { ReadResult } from './read-track.ts';
import type { TxCtx } from '#domain/context.ts';
import type { Selectable } from 'kysely';
import { epochSeconds } from '#domain/ports.ts';

/** Values in one statement: SQLite takes 32,766, PostgreSQL 65,535. */
const ROWS_AT_ONCE = 500;

/** A file that was read, at its place, with the picture that stands for it. */
export type ReadFile = Exclude<ReadResult, { problem: string }> & {
  library_root: string;
  track_path: string;
  cover_hash: string | null;
  cover_source: TracksTable['cover_source'];
};

/** What is to be written of a file: `track_id` is the known track it is, null a new one. */
export interface TrackWrite {
  track_id: string | null;
  file: ReadFile;
}

/** Ids of artists and albums by key, kept over a scan so that each is asked for once. */
export interface NameIds {
  artists: Map<string, string>;
  albums: Map<string, string>;
}

/** Splits a list into pieces a statement can hold. */
export function chunks<T>(list: readonly T[], size = ROWS_AT_ONCE): T[][] {
  return Array.from({ length: Math.ceil(list.length / size) }, (_, i) => list.slice(i * size, (i + 1) * size));
}

function albumKey(tags: TrackTags): string | null {
  return tags.album === null ? null : `${nameKey(albumArtistOf(tags) ?? '')}\n${nameKey(tags.album)}`;
}

function artistKey(tags: TrackTags): string | null {
  return tags.main_artist === null ? null : nameKey(tags.main_artist);
}

async function ensureArtists(
  { trx, ids }: TxCtx,
  files: readonly ReadFile[],
  known: Map<string, string>,
): Promise<Map<string, string>> {
  const names = new Map<string, string>();
  for (const { tags } of files) {
    const key = artistKey(tags);
    if (key !== null && !known.has(key) && !names.has(key)) names.set(key, tags.main_artist ?? '');
  }
  const found = new Map<string, string>();
  if (names.size === 0) return found;
  const rows = [...names].map(([artist_key, name]) => ({
    id: ids.id(),
    artist_key,
    name,
    name_sort: sortKey(name),
    search_text: searchText(name),
  }));
  await trx
    .insertInto('artists')
    .values(rows)
    .onConflict((oc) => oc.column('artist_key').doNothing())
    .execute();
  for (const row of await trx
    .selectFrom('artists')
    .select(['id', 'artist_key'])
    .where('artist_key', 'in', [...names.keys()])
    .execute()) {
    found.set(row.artist_key, row.id);
  }
  return found;
}

async function ensureAlbums(
  { trx, ids }: TxCtx,
  files: readonly ReadFile[],
  known: Map<string, string>,
): Promise<Map<string, string>> {
  const albums = new Map<string, { title: string; album_artist: string | null; year: number | null }>();
  for (const { tags } of files) {
    const key = albumKey(tags);
    if (key === null || tags.album === null || known.has(key)) continue;
    const before = albums.get(key);
    albums.set(key, before ?? { title: tags.album, album_artist: albumArtistOf(tags), year: tags.year });
    if (before !== undefined) before.year ??= tags.year;
  }
  const found = new Map<string, string>();
  if (albums.size === 0) return found;
  const rows = [...albums].map(([album_key, album]) => ({
    id: ids.id(),
    album_key,
    ...album,
    title_sort: sortKey(album.title, album.album_artist),
    search_text: searchText(album.title, album.album_artist),
  }));
  await trx
    .insertInto('albums')
    .values(rows)
    .onConflict((oc) =>
      oc.column('album_key').doUpdateSet((eb) => ({ year: eb.fn.coalesce('excluded.year', 'albums.year') })),
    )
    .execute();
  for (const row of await trx
    .selectFrom('albums')
    .select(['id', 'album_key'])
    .where('album_key', 'in', [...albums.keys()])
    .execute()) {
    found.set(row.album_key, row.id);
  }
  return found;
}

/** Makes covers known; their bytes are stored already. */
export async function insertCovers({ trx }: TxCtx, covers: readonly StoredCover[]): Promise<void> {
  const byHash = new Map(covers.map(({ hash, mime, size_bytes }) => [hash, { hash, mime, size_bytes }]));
  if (byHash.size === 0) return;
  await trx
    .insertInto('covers')
    .values([...byHash.values()])
    .onConflict((oc) => oc.column('hash').doNothing())
    .execute();
}

async function replaceGenres(
  { trx }: TxCtx,
  genresOf: readonly { track_id: string; genres: string[]; isNew: boolean }[],
): Promise<void> {
  const changed = genresOf.filter((one) => !one.isNew).map((one) => one.track_id);
  if (changed.length > 0) await trx.deleteFrom('track_genres').where('track_id', 'in', changed).execute();
  const rows = genresOf.flatMap(({ track_id, genres }) => {
    const byKey = new Map(genres.map((name) => [nameKey(name), name]));
    return [...byKey].map(([genre_key, name]) => ({ track_id, genre_key, name }));
  });
  for (const some of chunks(rows)) await trx.insertInto('track_genres').values(some).execute();
}

/**
 * Writes what was read of some files: new tracks are added, known ones updated in place and no longer missing.
 * @returns ids of artists and albums to be kept in `known` once this is committed.
 */
export async function writeTracks(tx: TxCtx, writes: readonly TrackWrite[], known: NameIds): Promise<NameIds> {
  const files = writes.map((write) => write.file);
  const now = epochSeconds(tx.clock);
  await insertCovers(
    tx,
    files.flatMap((file) => (file.cover === null ? [] : [file.cover])),
  );
  const artists = await ensureArtists(tx, files, known.artists);
  const albums = await ensureAlbums(tx, files, known.albums);
  const idIn = (fresh: Map<string, string>, kept: Map<string, string>, key: string | null) =>
    key === null ? null : (fresh.get(key) ?? kept.get(key) ?? null);

  // Another process (the operator's own scan beside the server's) may have found a file since we looked.
  const found = await liveTracksAt(
    tx,
    files.map((file) => file.track_path),
  );
  const rows = writes.map((write) => {
    const { file } = write;
    const { tags } = file;
    const track_id = write.track_id ?? found.get(fileKey(file)) ?? null;
    return {
      isNew: track_id === null,
      id: track_id ?? tx.ids.id(),
      genres: tags.genres,
      values: {
        library_root: file.library_root,
        track_path: file.track_path,
        title: tags.title,
        artist: tags.artist,
        album: tags.album,
        album_artist: tags.album_artist,
        genre: tags.genres.length === 0 ? null : tags.genres.join('; '),
        year: tags.year,
        track_number: tags.track_number,
        disc_number: tags.disc_number,
        duration: file.duration,
        codec: file.codec,
        container: file.container,
        album_id: idIn(albums, known.albums, albumKey(tags)),
        artist_id: idIn(artists, known.artists, artistKey(tags)),
        cover_hash: file.cover_hash,
        cover_source: file.cover_source,
        audio_hash: file.audio_hash,
        isrc: tags.isrc,
        recording_mbid: tags.recording_mbid,
        reader_version: READER_VERSION,
        file_size_bytes: file.file_size_bytes,
        file_mtime_ms: file.file_mtime_ms,
        ...sortColumns(tags),
        updated_at: now,
        missing_since: null,
      } satisfies Omit<Selectable<TracksTable>, 'id' | 'added_at'>,
    };
  });
  await markRetagged(
    tx,
    rows.filter((row) => !row.isNew),
  );
  const added = rows.filter((row) => row.isNew);
  if (added.length > 0) {
    await tx.trx
      .insertInto('tracks')
      .values(added.map(({ id, values }) => ({ id, ...values, added_at: now })))
      .execute();
  }
  for (const { id, values } of rows.filter((row) => !row.isNew)) {
    await tx.trx.updateTable('tracks').set(values).where('id', '=', id).execute();
  }
  await replaceGenres(
    tx,
    rows.map(({ id, genres, isNew }) => ({ track_id: id, genres, isNew })),
  );
  await indexArtists(tx.trx, [...artists.values()]);
  await indexAlbums(tx.trx, [...albums.values()]);
  await indexTracks(
    tx.trx,
    rows.map(({ id }) => id),
  );
  return { artists, albums };
}

/** What a listen counts for is read from its track: where artist, album or genres become others, its days are summed anew. */
async function markRetagged(
  { trx }: TxCtx,
  rows: readonly { id: string; genres: string[]; values: Pick<TracksTable, 'artist_id' | 'album_id'> }[],
): Promise<void> {
  const retagged: string[] = [];
  for (const some of chunks(rows)) {
    const ids = some.map(({ id }) => id);
    const tracks = await trx
      .selectFrom('tracks')
      .select(['id', 'artist_id', 'album_id'])
      .where('id', 'in', ids)
      .execute();
    const genres = await trx
      .selectFrom('track_genres')
      .select(['track_id', 'genre_key'])
      .where('track_id', 'in', ids)
      .execute();
    const before = new Map(tracks.map((track) => [track.id, track]));
    const genresBefore = Map.groupBy(genres, ({ track_id }) => track_id);
    for (const { id, genres: names, values } of some) {
      const was = before.get(id);
      const keys = new Set(names.map(nameKey));
      const keysBefore = new Set((genresBefore.get(id) ?? []).map(({ genre_key }) => genre_key));
      const isSame =
        was?.artist_id === values.artist_id &&
        was.album_id === values.album_id &&
        keys.symmetricDifference(keysBefore).size === 0;
      if (!isSame) retagged.push(id);
    }
  }
  await markDaysOfTracks(trx, retagged);
}

type FileKey = Pick<TracksTable, 'library_root' | 'track_path' | 'audio_hash'>;

function fileKey({ library_root, track_path, audio_hash }: FileKey): string {
  return [library_root, track_path, audio_hash].join('\0');
}

async function liveTracksAt({ trx }: TxCtx, paths: readonly string[]): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const some of chunks(paths)) {
    const rows = await trx
      .selectFrom('tracks')
      .select(['id', 'library_root', 'track_path', 'audio_hash'])
      .where('track_path', 'in', some)
      .where('missing_since', 'is', null)
      .execute();
    for (const row of rows) found.set(fileKey(row), row.id);
  }
  return found;
}

/** Says of tracks that their files are gone, or are there again. The rows stay: history and playlists refer to them. */
export async function setMissing({ trx, clock }: TxCtx, ids: readonly string[], isMissing: boolean): Promise<void> {
  const missing_since = isMissing ? epochSeconds(clock) : null;
  for (const some of chunks(ids))
    await trx.updateTable('tracks').set({ missing_since }).where('id', 'in', some).execute();
  await indexTracks(trx, ids);
}

export interface FolderImageWrite {
  library_root: string;
  folder: string;
  /** Null: the folder has no picture any more. */
  image: { file_name: string; file_size_bytes: number; file_mtime_ms: number } | null;
  cover: StoredCover | null;
  /** Tracks of the folder without a picture of their own. */
  track_ids: string[];
}

/** Keeps which picture stands for a folder, and gives it to the folder's tracks. */
export async function writeFolderImage(
  tx: TxCtx,
  { library_root, folder, image, cover, track_ids }: FolderImageWrite,
): Promise<void> {
  const { trx } = tx;
  const cover_hash = cover?.hash ?? null;
  if (cover !== null) await insertCovers(tx, [cover]);
  if (image === null) {
    await trx
      .deleteFrom('folder_images')
      .where('library_root', '=', library_root)
      .where('folder', '=', folder)
      .execute();
  } else {
    const row = { ...image, cover_hash };
    await trx
      .insertInto('folder_images')
      .values({ library_root, folder, ...row })
      .onConflict((oc) => oc.columns(['library_root', 'folder']).doUpdateSet(row))
      .execute();
  }
  for (const some of chunks(track_ids)) {
    await trx
      .updateTable('tracks')
      .set({ cover_hash, cover_source: cover_hash === null ? null : 'folder' })
      .where('id', 'in', some)
      .execute();
  }
}

/** Replaces what is known of unreadable files: `gone` are readable or away again. */
export async function writeProblems(
  { trx, clock }: TxCtx,
  problems: readonly Omit<ScanProblemsTable, 'seen_at'>[],
  gone: readonly Pick<ScanProblemsTable, 'library_root' | 'track_path'>[],
): Promise<void> {
  const seen_at = epochSeconds(clock);
  for (const { library_root, track_path } of gone) {
    await trx
      .deleteFrom('scan_problems')
      .where('library_root', '=', library_root)
      .where('track_path', '=', track_path)
      .execute();
  }
  for (const some of chunks(problems)) {
    await trx
      .insertInto('scan_problems')
      .values(some.map((problem) => ({ ...problem, seen_at })))
      .onConflict((oc) =>
        oc.columns(['library_root', 'track_path']).doUpdateSet((eb) => ({
          reason: eb.ref('excluded.reason'),
          file_size_bytes: eb.ref('excluded.file_size_bytes'),
          file_mtime_ms: eb.ref('excluded.file_mtime_ms'),
          seen_at: eb.ref('excluded.seen_at'),
        })),
      )
      .execute();
  }
}
