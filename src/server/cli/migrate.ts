import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { migrate as migrateDatabase, migrateSqliteFile } from '#db/migrate.ts';
import { openPostgresKysely } from '#db/open.ts';
import { complain, loadServer, onlyWords, say } from './terminal.ts';
import type { Verb } from './terminal.ts';

/** Brings the database to this version. */
export const migrate: Verb = async (args, settings) => {
  onlyWords(args);
  const config = settings();
  const { MIGRATIONS_DIR } = await loadServer();
  let ran: string[];
  if (config.databaseUrl === null) {
    await mkdir(config.dataDir, { recursive: true, mode: 0o700 });
    ran = await migrateSqliteFile(path.join(config.dataDir, 'stepheybot.db'), MIGRATIONS_DIR);
  } else {
    const db = await openPostgresKysely<unknown>(config.databaseUrl, (error) => complain(`Warning: ${error.message}`));
    try {
      ran = await migrateDatabase(db, MIGRATIONS_DIR);
    } finally {
      await db.destroy();
    }
  }
  say(ran.length === 0 ? 'The database is up to date.' : `Applied ${ran.join(', ')}.`);
  return 0;
};
