import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createApiToken } from '#domain/accounts/api-tokens.ts';
import { DIALECTS } from '../../support/dialects.ts';
import { makeLibrary } from '../../support/music/make-track.ts';
import { openWorld } from '../../support/world.ts';
import type { Track } from '#contract/library.ts';
import type { Stats } from '#contract/stats.ts';
import type { Someone, World } from '../../support/world.ts';

interface History {
  items: { id: string; track: Track | null; text: { title: string } | null }[];
}

describe.each(DIALECTS)('music that was heard before it was here, on $name', (dialect) => {
  let world: World;
  let admin: Someone;
  beforeAll(async () => {
    world = await openWorld(dialect);
    admin = await world.someone('boss', { roles: ['admin'] });
  });
  afterAll(() => world.close());

  test('[LBZ1-21] a listen that was told is found by the scan that brings its file, in history and statistics', async () => {
    const { ctx } = world.server;
    const { token } = await createApiToken(ctx, admin.id, { name: 'scrobbler', scopes: ['listen:write', 'read'] });
    const at = Math.floor(Date.now() / 1000) - 1_000;
    const told = ['Late Song', 'Never Here'].map((track_name, i) => ({
      listened_at: at + i * 300,
      track_metadata: { artist_name: 'Anna', track_name, additional_info: { duration_ms: 40_000 } },
    }));
    const answer = await fetch(`${world.url}/1/submit-listens`, {
      method: 'POST',
      headers: { authorization: `Token ${token}` },
      body: JSON.stringify({ listen_type: 'import', payload: told }),
    });
    expect(await answer.json()).toEqual({ status: 'ok' });
    const heard = async () =>
      (await admin.rest.get<History>('/listen/history')).items.map(({ id, track, text }) => [
        id,
        track?.title ?? null,
        text?.title ?? null,
      ]);
    const top = async () =>
      (await admin.rest.get<Stats>('/listen/stats?period=all')).top_tracks
        .map(({ track, text, listens }) => [track?.title ?? null, text.title, listens])
        .toSorted();
    const before = await heard();
    expect(before.map(([, track, text]) => [track, text])).toEqual([
      [null, 'Never Here'],
      [null, 'Late Song'],
    ]);
    expect(await top()).toEqual([
      [null, 'Late Song', 1],
      [null, 'Never Here', 1],
    ]);

    makeLibrary(ctx.files.musicDirs[0]!, {
      'late.wav': { title: 'late  SONG', artist: 'Anna', album: 'First', seconds: 40 },
    });
    await expect
      .poll(
        async () => {
          // The one at the start may be under way still, and have passed the folder by.
          await admin.rest.call('POST', '/library/scan');
          return (await heard())[1]?.[1];
        },
        { timeout: 20_000, interval: 100 },
      )
      .toBe('late  SONG');
    const after = await heard();
    expect(after.map(([id]) => id)).toEqual(before.map(([id]) => id));
    expect(after[0]?.slice(1)).toEqual([null, 'Never Here']);
    expect((await top()).map(([track, , listens]) => [track, listens])).toEqual([
      [null, 1],
      ['late  SONG', 1],
    ]);
  });
});
