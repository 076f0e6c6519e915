import { SortBy } from '#contract/playlists.ts';
import type { ChangeKind } from '#contract/playlists.ts';
import type { PlaylistChangesTable } from './playlists.table.ts';
import type { Selectable } from 'kysely';

/** All of one kind that one person did within a minute. */
export interface MergedChange {
  kind: ChangeKind;
  /** Each once, in the order they were touched. */
  entry_ids: string[];
  from: string | null;
  to: string | null;
  by: SortBy | null;
  descending: boolean | null;
  checkpoint_id: string | null;
}

type Row = Pick<Selectable<PlaylistChangesTable>, 'kind' | 'entry_ids_json' | 'details_json'>;

/**
 * What a person's rows of a minute come to, oldest first: one change a kind, but each sorting and restoring by itself. Of several
 * renamings the first name and the last are told.
 */
export function changesOf(rows: readonly Row[]): MergedChange[] {
  const merged: MergedChange[] = [];
  for (const { kind, entry_ids_json, details_json } of rows) {
    const details = details_json === null ? {} : (JSON.parse(details_json) as Record<string, unknown>);
    const text = (field: string) => (typeof details[field] === 'string' ? details[field] : null);
    const entry_ids = JSON.parse(entry_ids_json) as string[];
    const isByItself = kind === 'sorted' || kind === 'restored';
    const known = isByItself ? undefined : merged.find((change) => change.kind === kind);
    if (known !== undefined) {
      known.entry_ids = [...new Set([...known.entry_ids, ...entry_ids])];
      known.to = text('to') ?? known.to;
      continue;
    }
    const by = SortBy.safeParse(details.by);
    merged.push({
      kind,
      entry_ids: [...new Set(entry_ids)],
      from: text('from'),
      to: text('to'),
      by: by.success ? by.data : null,
      descending: typeof details.descending === 'boolean' ? details.descending : null,
      checkpoint_id: text('checkpoint_id'),
    });
  }
  return merged;
}
