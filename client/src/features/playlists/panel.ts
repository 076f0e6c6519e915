/** What can stand beside a list; the address names it (`?panel=`). */
export type Panel = 'people' | 'add' | 'history';

/** The panel an address names, if it is one. */
export function readPanel(search: Pick<URLSearchParams, 'get'>): Panel | null {
  const name = search.get('panel');
  return name === 'people' || name === 'add' || name === 'history' ? name : null;
}
