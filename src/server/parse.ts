import { DomainError } from '#domain/errors.ts';
import type { z } from 'zod';

/**
 * Parses what came through a door.
 * @throws DomainError invalid, with a path and a message per fault
 */
export function parseInput<S extends z.ZodType>(schema: S, value: unknown, where = ''): z.output<S> {
  const parsed = schema.safeParse(value);
  if (parsed.success) {
    // No text of ours holds a NUL, and PostgreSQL takes none.
    if (!holdsNul(parsed.data)) return parsed.data;
    const errors = [{ path: where, message: 'must not hold a NUL character' }];
    throw new DomainError('invalid', 'Text must not hold a NUL character.', { errors });
  }
  const errors = parsed.error.issues.slice(0, 20).map((issue) => ({
    path: issue.path.map(String).join('.') || where,
    message: issue.message,
  }));
  const first = errors[0];
  throw new DomainError(
    'invalid',
    first === undefined ? 'The input is not valid.' : `${first.path}: ${first.message}`,
    {
      errors,
    },
  );
}

/** Whether a text in it, or a name, holds a NUL. */
function holdsNul(value: unknown): boolean {
  if (typeof value === 'string') return value.includes('\0');
  if (typeof value !== 'object' || value === null) return false;
  if (Array.isArray(value)) return value.some(holdsNul);
  for (const name in value) if (name.includes('\0') || holdsNul((value as Record<string, unknown>)[name])) return true;
  return false;
}
