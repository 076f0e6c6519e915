/** A log that keeps every line at every level, more than the real one writes: causes with their messages. */
import type { Log } from '#domain/ports.ts';

export interface KeptLog {
  log: Log;
  lines: string[];
}

export function keepLog(): KeptLog {
  const lines: string[] = [];
  const keep =
    (level: string) =>
    (message: string, fields?: object, cause?: unknown): void => {
      const described = cause instanceof Error ? `${cause.name}: ${cause.message}\n${cause.stack}` : cause;
      lines.push(JSON.stringify({ level, message, ...fields, ...(cause === undefined ? {} : { cause: described }) }));
    };
  return { lines, log: { debug: keep('debug'), info: keep('info'), warn: keep('warn'), error: keep('error') } };
}
