import { describe, expect, it } from 'vitest';
import { NoticePace } from '../../../client/src/features/shell/notice-pace.ts';

describe('notices by themselves', () => {
  it('come once in a while about one subject, and not in a flood about many', () => {
    const pace = new NoticePace(60_000, 10_000);
    expect(pace.allows('ana', 0)).toBe(true);
    expect(pace.allows('ben', 9_999)).toBe(false);
    expect(pace.allows('ben', 10_000)).toBe(true);
    expect(pace.allows('ana', 59_999)).toBe(false);
    expect(pace.allows('ana', 60_000)).toBe(true);
  });

  it('that were held back do not push the next one away', () => {
    const pace = new NoticePace(60_000, 10_000);
    pace.allows('ana', 0);
    for (let at = 1_000; at < 10_000; at += 1_000) expect(pace.allows('ben', at)).toBe(false);
    expect(pace.allows('ben', 10_000)).toBe(true);
  });
});
