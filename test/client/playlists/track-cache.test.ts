import { describe, expect, it } from 'vitest';
import { TrackCache } from '../../../client/src/features/playlists/track-cache.ts';
import type { Track } from '#contract/library.ts';

const track = (id: string) => ({ id, title: id }) as Track;
/** Lets every promise that can settle do so. */
const settle = async () => {
  for (let i = 0; i < 20; i++) await Promise.resolve();
};

describe('looking tracks up', () => {
  it('asks once for each, at most four at a time', async () => {
    const open = new Map<string, (value: Track | null) => void>();
    const asked: string[] = [];
    const cache = new TrackCache(
      (id) => {
        asked.push(id);
        return new Promise((resolve) => open.set(id, resolve));
      },
      () => undefined,
    );
    const ids = ['a', 'b', 'c', 'd', 'e', 'f'];
    cache.want(ids);
    cache.want(ids);
    expect(asked).toEqual(['a', 'b', 'c', 'd']);
    open.get('b')?.(track('b'));
    await settle();
    expect(asked).toEqual(['a', 'b', 'c', 'd', 'e']);
    for (const id of ['a', 'c', 'd', 'e']) open.get(id)?.(track(id));
    await settle();
    open.get('f')?.(null);
    await settle();
    expect(asked).toEqual(ids);
    expect(cache.get('a')).toEqual(track('a'));
    expect(cache.get('f')).toBe('unknown');
    expect(cache.pending).toBe(0);
  });

  it('a track that is known is not asked for', () => {
    const cache = new TrackCache(
      () => expect.unreachable('it is known'),
      () => undefined,
    );
    cache.put(track('a'));
    cache.want(['a']);
    expect(cache.pending).toBe(0);
  });

  it('a failed look-up is asked again when wanted again, and holds up no other', async () => {
    let fails = true;
    let told = 0;
    const cache = new TrackCache(
      (id) => (fails && id === 'a' ? Promise.reject(new Error('no line')) : Promise.resolve(track(id))),
      () => told++,
    );
    cache.want(['a', 'b']);
    await settle();
    expect(cache.get('a')).toBeUndefined();
    expect(cache.get('b')).toEqual(track('b'));
    fails = false;
    cache.want(['a', 'b']);
    await settle();
    expect(cache.get('a')).toEqual(track('a'));
    expect(told).toBe(3);
  });
});
