import type { CompiledQuery, Compilable } from 'kysely';

/** A statement of a unit of work whose statements are all known beforehand. */
export interface UnitStatement {
  sql: string;
  parameters: readonly unknown[];
  /** Rows it must change (true: one); when it changes fewer, nothing of its unit stays. */
  mustChange?: boolean | number;
}

/**
 * The statements of a unit, or what makes them: that is asked when the unit's turn has come, never at once, so that it can hold
 * what has happened since it was handed in.
 */
export type Unit = readonly UnitStatement[] | (() => readonly UnitStatement[]);

/** What became of a unit: taken, or not because a `mustChange` statement changed too little. */
export type UnitOutcome = boolean;

/** A statement for a unit of work, of a query that is built for this once. */
export function unitStatement(query: Compilable, more: Pick<UnitStatement, 'mustChange'> = {}): UnitStatement {
  const { sql, parameters } = query.compile();
  return { sql, parameters, ...more };
}

class Place {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

/**
 * Compiles a statement once for many inputs: `build` gets a stand-in for every field and may put each where a value goes.
 * What it makes costs an array of parameters, where building the query anew would cost more than running it.
 */
export function statementOf<Input extends object>(
  build: (places: { [K in keyof Input]-?: Input[K] }) => Compilable,
  more: Pick<UnitStatement, 'mustChange'> = {},
): (input: Input) => UnitStatement {
  const places = new Proxy({}, { get: (_target, name) => new Place(String(name)) });
  const compiled: CompiledQuery = build(places as never).compile();
  const { sql } = compiled;
  const slots = compiled.parameters.map((parameter) =>
    parameter instanceof Place ? { name: parameter.name } : { value: parameter },
  );
  return (input) => ({
    sql,
    parameters: slots.map((slot) => ('value' in slot ? slot.value : (input as Record<string, unknown>)[slot.name!])),
    ...more,
  });
}
