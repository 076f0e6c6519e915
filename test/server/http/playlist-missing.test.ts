import { mkdirSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { DIALECTS } from '../../support/dialects.ts';
import { makeLibrary } from '../../support/music/make-track.ts';
import { openWorld } from '../../support/world.ts';
import type { ScanState, Track } from '#contract/library.ts';
import type { Playlist, PlaylistTrack } from '#contract/playlists.ts';
import type { Stats } from '#contract/stats.ts';
import type { Someone, World } from '../../support/world.ts';

interface List<T> {
  items: T[];
}

describe.each(DIALECTS)('songs of a list whose files go and come back, on $name', (dialect) => {
  let world: World;
  let admin: Someone;
  let music: string;
  let id: string;
  let tracks: Track[];
  beforeAll(async () => {
    world = await openWorld(dialect);
    admin = await world.someone('boss', { roles: ['admin'] });
    music = world.server.ctx.files.musicDirs[0]!;
    const song = (n: number) => ({
      title: `Song ${n}`,
      artist: 'Anna',
      album: 'First',
      seconds: 40,
      frequency: 200 + n,
    });
    makeLibrary(music, { 'A/1.wav': song(1), 'A/2.wav': song(2), 'A/3.wav': song(3) });
    await scan();
    tracks = (await admin.rest.get<List<Track>>('/library/tracks')).items.toSorted((a, b) =>
      a.title.localeCompare(b.title),
    );
    id = (await admin.rest.post<Playlist>('/playlists', { name: 'List' })).id;
    await admin.rest.post(`/playlists/${id}/tracks`, { track_ids: tracks.map((track) => track.id) });
    // One of them was heard.
    const { session_id } = await admin.rest.post<{ session_id: string }>('/listen/start', {
      track_id: tracks[1]!.id,
      source: 'web',
      occurred_at_ms: Date.now() - 60_000,
    });
    await admin.rest.post('/listen/complete', {
      session_id,
      seq: 1,
      position_ms: 40_000,
      occurred_at_ms: Date.now() - 10_000,
    });
  });
  afterAll(() => world.close());

  async function scan(): Promise<ScanState> {
    const idle = () =>
      vi.waitFor(
        async () => {
          const state = await admin.rest.get<ScanState>('/library/scan');
          if (state.state !== 'idle') throw new Error(`the library is ${state.state}`);
          return state;
        },
        { timeout: 20_000, interval: 20 },
      );
    await idle();
    await admin.rest.call('POST', '/library/scan');
    return idle();
  }
  const entries = async (query = '') =>
    (await admin.rest.get<List<PlaylistTrack>>(`/playlists/${id}/tracks${query}`)).items;
  const titles = async (query = '') =>
    (await entries(query)).map((entry) => [entry.track?.title, entry.track?.missing]);
  async function exported(format: string): Promise<string> {
    const response = await fetch(`${world.url}/api/v1/playlists/${id}/export?format=${format}`, {
      headers: { authorization: `Bearer ${admin.token}` },
    });
    return response.text();
  }
  /** All that is told of the list but which of its files are gone. */
  async function told() {
    const { track_count, total_duration } = await admin.rest.get<Playlist>(`/playlists/${id}`);
    const heard = await admin.rest.get<List<{ id: string; track: Track | null }>>('/listen/history');
    const { totals, top_tracks } = await admin.rest.get<Stats>('/listen/stats?period=all');
    return {
      track_count,
      total_duration,
      entry_ids: (await entries()).map((entry) => entry.entry_id),
      track_ids: (await entries()).map((entry) => entry.track?.id),
      files: await Promise.all(['m3u8', 'xspf', 'jspf', 'json'].map(exported)),
      heard: heard.items.map((item) => [item.id, item.track?.title]),
      totals,
      top: top_tracks.map(({ track, listens }) => [track?.title, listens]),
    };
  }

  test.each<[string, () => void, () => void]>([
    [
      'to where it was',
      () => renameSync(path.join(music, 'A/2.wav'), path.join(music, '../away.wav')),
      () => renameSync(path.join(music, '../away.wav'), path.join(music, 'A/2.wav')),
    ],
    [
      'to another folder and name',
      () => renameSync(path.join(music, 'A/2.wav'), path.join(music, '../away.wav')),
      () => {
        mkdirSync(path.join(music, 'B'), { recursive: true });
        renameSync(path.join(music, '../away.wav'), path.join(music, 'B/two.wav'));
      },
    ],
  ])(
    '[PL32] one that is gone is shown as missing, and back when its file comes back %s',
    async (_where, go, comeBack) => {
      const before = await told();
      expect(before.track_ids).toEqual(tracks.map((track) => track.id));
      expect(before.heard).toEqual([[expect.any(String), 'Song 2']]);
      expect(await titles('?only=missing')).toEqual([]);

      go();
      expect(await scan()).toMatchObject({ missing: 1 });
      expect(await titles()).toEqual([
        ['Song 1', false],
        ['Song 2', true],
        ['Song 3', false],
      ]);
      expect(await titles('?only=missing')).toEqual([['Song 2', true]]);
      // Nothing of it is lost meanwhile: its place, its name in every export, what was heard of it.
      expect(await told()).toEqual(before);
      expect(before.files.every((file) => file.includes('Song 2'))).toBe(true);
      expect((await admin.rest.get<List<Track>>('/library/tracks')).items).toHaveLength(2);

      comeBack();
      expect(await scan()).toMatchObject({ missing: 0, added: 0 });
      expect(await titles('?only=missing')).toEqual([]);
      expect((await entries()).map((entry) => entry.track?.id)).toEqual(before.track_ids);
      expect((await admin.rest.get<List<Track>>('/library/tracks')).items).toHaveLength(3);
      const { files: _paths, ...after } = await told();
      const { files: _before, ...rest } = before;
      expect(after).toEqual(rest);
    },
  );

  test('[PL32] of a file that is gone for good the entry stays, with all it was called', async () => {
    rmSync(path.join(music, 'A/3.wav'));
    await scan();
    await scan();
    const [entry] = await entries('?only=missing');
    expect(entry?.track).toMatchObject({ id: tracks[2]!.id, title: 'Song 3', missing: true });
    expect(await entries()).toHaveLength(3);
  });
});
