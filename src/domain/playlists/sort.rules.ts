/** What an entry is sorted by; null: not known. Texts are sort keys, compared by code unit. */
export type SortValue = string | number | null;

/** A sort key of something without a name begins with what sorts after any text. */
function isUnknown(value: SortValue | undefined): boolean {
  return value === undefined || value === null || (typeof value === 'string' && value.startsWith('\uffff'));
}

/** Ids in the order of their values; equals keep their order, and what is not known comes last whichever way it runs. */
export function orderValues(
  ids: readonly string[],
  values: ReadonlyMap<string, SortValue>,
  descending: boolean,
): string[] {
  const known = ids.filter((id) => !isUnknown(values.get(id)));
  const unknown = ids.filter((id) => isUnknown(values.get(id)));
  known.sort((a, b) => {
    const [x, y] = [values.get(a), values.get(b)] as [string | number, string | number];
    if (x === y) return 0;
    return x < y === descending ? 1 : -1;
  });
  return [...known, ...unknown];
}
