import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DIALECTS } from '../support/dialects.ts';
import type { TestDatabase } from '../support/dialects.ts';

describe.each(DIALECTS)('schema on $name', (dialect) => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await dialect.open();
  });
  afterAll(() => database.close());

  test('[DB1] every table of the design document is there under its name', async () => {
    const tables = (await database.db.introspection.getTables()).map((table) => table.name);
    expect(tables).toEqual(
      expect.arrayContaining([
        'users',
        'user_profiles',
        'user_integrations',
        'listening_sessions',
        'user_favorites',
        'user_playlists',
        'playlist_tracks',
        'user_taste_profiles',
        'user_recommendations',
        'user_similarity',
        'user_follows',
      ]),
    );
  });
});
