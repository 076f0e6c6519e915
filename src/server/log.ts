import pino from 'pino';
import type { Log } from '#domain/ports.ts';

/** JSON lines on stdout. Callers name each field they log; request headers and bodies are never among them. */
export function createLog(level: string): Log {
  const logger = pino(
    { level, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ dest: 1, sync: true }),
  );
  return {
    debug: (message, fields) => logger.debug(fields ?? {}, message),
    info: (message, fields) => logger.info(fields ?? {}, message),
    warn: (message, fields) => logger.warn(fields ?? {}, message),
    error: (message, fields, cause) =>
      logger.error({ ...fields, ...(cause === undefined ? {} : { err: describe(cause) }) }, message),
  };
}

/** Of an error only what cannot hold user data: its kind, code and place. SQL errors quote values in their message. */
function describe(cause: unknown): Record<string, string> {
  if (!(cause instanceof Error)) return { kind: typeof cause };
  const code = 'code' in cause && typeof cause.code === 'string' ? { code: cause.code } : {};
  const isOwn = cause.constructor === Error || cause instanceof TypeError || cause instanceof RangeError;
  const stack = (cause.stack ?? '')
    .split('\n')
    .filter((line) => line.trimStart().startsWith('at '))
    .slice(0, 12)
    .join('\n');
  return { kind: cause.name, ...code, ...(isOwn ? { message: cause.message } : {}), stack };
}
