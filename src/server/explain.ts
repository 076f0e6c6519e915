import { NewerDatabaseError } from '#db/migrate.ts';
import { DomainError } from '#domain/errors.ts';
import { ConfigError } from './config.ts';

/** The one line an operator can act on, naming the setting; null for a mistake of ours. */
export function explain(error: unknown): string | null {
  if (error instanceof ConfigError || error instanceof NewerDatabaseError || error instanceof DomainError) {
    return error.message;
  }
  if (!(error instanceof Error) || !('code' in error)) return null;
  const { code, address, port, path } = error as NodeJS.ErrnoException & { address?: string; port?: number };
  switch (code) {
    case 'EADDRINUSE':
      return `PORT ${port} on ${address} is in use by another program: stop it, or set PORT to a free one (0 picks one)`;
    case 'EADDRNOTAVAIL':
      return `HOST ${address} is not an address of this machine`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `HOST or DATABASE_URL names a machine that cannot be found (${error.message})`;
    case 'ECONNREFUSED':
      return `DATABASE_URL: no database answers there (${error.message})`;
    case 'EACCES':
    case 'EPERM':
      if (port !== undefined) return `PORT ${port} may not be used by this user: set PORT to one above 1023`;
      return `DATA_DIR cannot be used: this user may not open ${path ?? 'a file in it'}`;
    case 'EEXIST':
    case 'ENOTDIR':
      return `DATA_DIR cannot be used: ${path ?? 'part of it'} is a file, not a folder`;
    case 'ENOENT':
    case 'EROFS':
    case 'ENOSPC':
      return `DATA_DIR cannot be written: ${error.message}`;
    case 'SQLITE_BUSY':
    case 'SQLITE_LOCKED':
      return 'the database in DATA_DIR is locked by another program: try again when it is done';
    case 'SQLITE_CANTOPEN':
    case 'SQLITE_NOTADB':
    case 'SQLITE_CORRUPT':
    case 'SQLITE_READONLY':
      return `the database in DATA_DIR cannot be used: ${error.message}`;
    default:
      return null;
  }
}
