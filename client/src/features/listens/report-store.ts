import { openDB } from 'idb';
import type { DBSchema, IDBPDatabase } from 'idb';
import type { Report, ReportStore } from './report-queue.ts';

interface Kept extends DBSchema {
  reports: {
    /** Counts up, so that reports keep their order. */
    key: number;
    value: { user_id: string; report: Report };
    indexes: { by_user: string; by_report: string };
  };
}

const NAME = 'stepheybot-listens';

function open(): Promise<IDBPDatabase<Kept>> {
  return openDB<Kept>(NAME, 1, {
    upgrade(db) {
      const reports = db.createObjectStore('reports', { autoIncrement: true });
      reports.createIndex('by_user', 'user_id');
      reports.createIndex('by_report', 'report.id', { unique: true });
    },
    // A newer page wants to change the schema: let it; this page opens the database anew when it needs it.
    blocking(_current, _blocked, event) {
      (event.target as IDBDatabase).close();
    },
  });
}

/** Reports of one person in this browser's own database: they outlive reloads, closed tabs and crashes. */
export function reportStore(user_id: string): ReportStore {
  let opening: Promise<IDBPDatabase<Kept>> | null = null;

  async function withDb<T>(work: (db: IDBPDatabase<Kept>) => Promise<T>): Promise<T> {
    opening ??= open();
    try {
      return await work(await opening);
    } catch (error) {
      // Opened anew next time: a database that was closed, or could not be opened, may work again.
      opening = null;
      throw error;
    }
  }

  return {
    read: () =>
      withDb(async (db) => (await db.getAllFromIndex('reports', 'by_user', user_id)).map(({ report }) => report)),
    add: (report) =>
      withDb(async (db) => {
        await db.add('reports', { user_id, report });
      }),
    remove: (ids) =>
      withDb(async (db) => {
        const tx = db.transaction('reports', 'readwrite');
        const byReport = tx.store.index('by_report');
        await Promise.all([
          ...ids.map(async (id) => {
            const key = await byReport.getKey(id);
            if (key !== undefined) await tx.store.delete(key);
          }),
          tx.done,
        ]);
      }),
  };
}
