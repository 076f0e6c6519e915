/** A star of 24 by 24, as much to the right as there are stars before it. */
const star = (before: number) =>
  `M${before * 24 + 12} 2l3 7 7.2.6-5.5 4.7 1.7 7.1-6.4-3.9-6.4 3.9 1.7-7.1-5.5-4.7L${before * 24 + 9} 9z`;

/** So many stars in a row, drawn as one: a long list has few nodes to spare. */
export const STARS: readonly string[] = Array.from({ length: 6 }, (_, count) =>
  Array.from({ length: count }, (_one, before) => star(before)).join(''),
);
