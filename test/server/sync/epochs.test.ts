/** A document begun anew while people have it open, by this process and by another. */
import { spawn } from 'node:child_process';
import { symlinkSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import * as Y from 'yjs';
import { metaOf, readList } from '#contract/playlist-doc.ts';
import { renewPlaylist } from '#domain/playlists/repair-playlists.ts';
import { newIds } from '#server/ids.ts';
import { openPlaylist } from '../../support/clients.ts';
import { DIALECTS } from '../../support/dialects.ts';
import { putTracks } from '../../support/room.ts';
import { openWorld } from '../../support/world.ts';
import type { Playlist } from '#contract/playlists.ts';
import type { World } from '../../support/world.ts';

const CLI = path.resolve(import.meta.dirname, '../../../src/server/cli.ts');

describe.each(DIALECTS)('epochs on $name', (dialect) => {
  let world: World;
  beforeEach(async () => {
    world = await openWorld(dialect);
  });
  afterEach(() => world.close());

  test('[PL30] the stock client is closed for good, refused with its old copy, and goes on when it loads anew', async () => {
    const [ana, ben] = [await world.someone('ana'), await world.someone('ben')];
    const tracks = await putTracks(world.server.ctx, 3);
    const { id } = await ana.rest.post<Playlist>('/playlists', { name: 'List' });
    await ana.rest.put(`/playlists/${id}/collaborators/${ben.id}`, { role: 'editor' });
    const { entry_ids } = await ana.rest.post<{ entry_ids: string[] }>(`/playlists/${id}/tracks`, {
      track_ids: tracks,
    });
    const doc = new Y.Doc();
    const open = openPlaylist(world.url, id, { token: ben.token }, doc);
    await open.until(() => readList(doc).length === 3);
    metaOf(doc).set('name', 'before');
    await expect.poll(async () => (await ana.rest.get<Playlist>(`/playlists/${id}`)).name).toBe('before');
    await renewPlaylist(world.server.ctx, { playlist_id: id, forgets: false });
    expect((await open.closed).code).toBe(4409);
    open.provider.destroy();
    // Edited while it was away, on the old copy.
    metaOf(doc).set('name', 'from the old copy');
    const again = openPlaylist(world.url, id, { token: ben.token }, doc);
    expect((await again.closed).code).toBe(4409);
    again.close();
    expect((await ana.rest.get<Playlist>(`/playlists/${id}`)).name).toBe('before');
    const anew = openPlaylist(world.url, id, { token: ben.token });
    await anew.until((fresh) => readList(fresh).length === 3);
    expect(readList(anew.doc).map((row) => row.entry_id)).toEqual(entry_ids);
    metaOf(anew.doc).set('name', 'anew');
    await expect.poll(async () => (await ana.rest.get<Playlist>(`/playlists/${id}`)).name).toBe('anew');
    anew.close();
  });

  // Only a database that another program can open.
  if (dialect.name === 'sqlite') {
    test('[PL30] [PL31] the operator’s commands beside the running server', { timeout: 60_000 }, async () => {
      const ana = await world.someone('ana');
      const { id } = await ana.rest.post<Playlist>('/playlists', { name: 'List' });
      const { id: broken } = await ana.rest.post<Playlist>('/playlists', { name: 'Broken' });
      const tracks = await putTracks(world.server.ctx, 2);
      await ana.rest.post(`/playlists/${id}/tracks`, { track_ids: tracks });
      await world.server.ctx.write(async (trx) => {
        await trx.updateTable('playlist_entries').set({ is_live: 0 }).where('playlist_id', '=', id).execute();
        await trx
          .updateTable('playlist_updates')
          .set({ bytes: new Uint8Array([255]) })
          .where('playlist_id', '=', broken)
          .execute();
      });
      // The server's own name for it.
      const dataDir = path.dirname(world.database.file!);
      symlinkSync(world.database.file!, path.join(dataDir, 'stepheybot.db'));
      async function admin(...words: string[]): Promise<{ code: number | null; out: string; err: string }> {
        const child = spawn(process.execPath, [CLI, ...words], { env: { PATH: process.env.PATH, DATA_DIR: dataDir } });
        let [out, err] = ['', ''];
        child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
        child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
        const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
        return { code, out, err };
      }
      const open = openPlaylist(world.url, id, { token: ana.token });
      await open.until((doc) => readList(doc).length === 2);
      const first = await admin('repair-playlists');
      expect(first.code).toBe(1);
      expect(first.out).toContain(`${id}: its rows differed`);
      expect(first.out).toContain('0 sound, 1 repaired, 1 unreadable.');
      expect(first.err).toContain(`${broken}: its log cannot be read`);
      // No title in what it says.
      expect(first.out + first.err).not.toContain('Broken');
      expect((await ana.rest.get<{ items: unknown[] }>(`/playlists/${id}/tracks`)).items).toHaveLength(2);
      expect(await admin('repair-playlists', id)).toMatchObject({
        code: 0,
        out: '1 sound, 0 repaired, 0 unreadable.\n',
      });
      expect((await admin('renew-playlist', broken)).out).toContain('it holds what its rows said');
      expect((await admin('repair-playlists')).code).toBe(0);
      // Whoever has it open is told within a second, though nobody edits.
      const renewed = await admin('renew-playlist', id, '--forget');
      const since = performance.now();
      expect(renewed).toMatchObject({ code: 0, err: '' });
      expect(renewed.out).toContain(`${id} is in epoch 2 now`);
      expect((await open.closed).code).toBe(4409);
      expect(performance.now() - since).toBeLessThan(2_000);
      open.close();
      const nowhere = newIds.id();
      for (const words of [
        ['repair-playlists', nowhere],
        ['renew-playlist', nowhere],
      ]) {
        expect(await admin(...words)).toMatchObject({ code: 1, err: `There is no playlist ${nowhere}.\n` });
      }
      expect((await admin('renew-playlist')).code).toBe(2);
      expect((await admin('repair-playlists', id, 'more')).code).toBe(2);
    });
  }
});
