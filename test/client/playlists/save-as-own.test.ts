import { afterEach, describe, expect, it, vi } from 'vitest';
import { saveAsOwn } from '../../../client/src/features/playlists/save-as-own.ts';
import { fakeServer } from '../support/fake-server.ts';
import type { ListEntry } from '#contract/playlist-doc.ts';
import type { Track } from '#contract/library.ts';

const entry = (entry_id: string, more: Partial<ListEntry>): ListEntry => ({
  entry_id,
  order_key: null,
  track_id: null,
  added_by: 'me',
  added_at: 1_700_000_000,
  ...more,
});

describe('a copy of one’s own', () => {
  afterEach(() => void vi.unstubAllGlobals());

  it('takes tracks in their order, in parts the server takes', async () => {
    const server = fakeServer();
    server.on('POST', '/playlists', () => ({ status: 201, body: { id: 'mine' } }));
    server.on('POST', '/playlists/mine/tracks', () => ({ status: 201, body: { entry_ids: [] } }));
    const list = Array.from({ length: 700 }, (_, i) => entry(`e${i}`, { track_id: `t${i}` }));
    expect(await saveAsOwn('Copy', 'Words', list, () => undefined)).toBe('mine');
    const parts = server.calls.slice(1).map(({ body }) => (body as { track_ids: string[] }).track_ids);
    expect(parts.map((part) => part.length)).toEqual([500, 200]);
    expect(parts.flat()).toEqual(list.map(({ track_id }) => track_id));
  });

  it('keeps songs that are only a text, by a file as the server writes them', async () => {
    const server = fakeServer();
    server.on('POST', '/playlists/import', () => ({ status: 201, body: { items: [{ playlist: { id: 'mine' } }] } }));
    const known = { id: 't1', title: 'One', artist: 'The Firsts', album: 'Numbers', duration: 40.4 } as Track;
    const list = [
      entry('e1', { track_id: 't1' }),
      entry('e2', { text: { title: 'Nothing', artist: 'Nobody', duration_ms: 1000, isrc: 'QZABC2400001' } }),
      entry('e3', { track_id: 't3' }),
    ];
    expect(await saveAsOwn('Copy', '', list, (id) => (id === 't1' ? known : 'unknown'))).toBe('mine');
    const file = JSON.parse(await (server.calls[0]?.body as Blob).text()) as { format: string; entries: object[] };
    expect(file.format).toBe('stepheybot-playlist');
    expect(file.entries).toMatchObject([
      { title: 'One', artist: 'The Firsts', duration_ms: 40_400, track_id: 't1' },
      { title: 'Nothing', artist: 'Nobody', duration_ms: 1000, isrc: 'QZABC2400001', track_id: null },
      { title: 't3', track_id: 't3' },
    ]);
  });
});
