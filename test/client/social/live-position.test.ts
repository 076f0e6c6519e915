import { describe, expect, it } from 'vitest';
import { isLive, isNewer, livePosition, STALE_MS } from '../../../client/src/features/social/live-position.ts';
import type { ListeningUpdate } from '#contract/listens.ts';

const track = { duration: 200 } as ListeningUpdate['track'];
const update = (more: Partial<ListeningUpdate> = {}): ListeningUpdate => ({
  user_id: 'u',
  username: 'u',
  track,
  position_ms: 10_000,
  at_ms: 1_000_000,
  state: 'playing',
  ...more,
});

describe('live position', () => {
  it('goes on by the server clock while playing, stands while paused', () => {
    expect(livePosition(update(), 1_003_000)).toBe(13);
    expect(livePosition(update({ state: 'paused' }), 1_003_000)).toBe(10);
  });

  it('never runs past the end, nor backwards when the clock is behind', () => {
    expect(livePosition(update(), 9_000_000)).toBe(200);
    expect(livePosition(update(), 999_000)).toBe(10);
  });

  it('is over when stopped, without a track, or long after the track should have ended', () => {
    expect(isLive(update(), 1_000_000)).toBe(true);
    expect(isLive(update({ state: 'stopped' }), 1_000_000)).toBe(false);
    expect(isLive(update({ track: null }), 1_000_000)).toBe(false);
    expect(isLive(undefined, 0)).toBe(false);
    expect(isLive(update(), 1_000_000 + 190_000 + STALE_MS - 1)).toBe(true);
    expect(isLive(update(), 1_000_000 + 190_000 + STALE_MS)).toBe(false);
    expect(isLive(update({ state: 'paused' }), 9_000_000)).toBe(true);
  });

  it('an older word does not replace a newer one', () => {
    expect(isNewer(update({ at_ms: 5 }), update({ at_ms: 6 }))).toBe(false);
    expect(isNewer(update({ at_ms: 6 }), update({ at_ms: 6 }))).toBe(true);
    expect(isNewer(update(), undefined)).toBe(true);
  });
});
