import { describe, expect, it } from 'vitest';
import { addressOf } from '../../../client/src/lib/api.ts';
import { clockTime, initials, lengthInWords, presenceIndex, timeAgo } from '../../../client/src/lib/format.ts';
import { uuid } from '../../../client/src/lib/ids.ts';
import { ApiProblem, asProblem } from '../../../client/src/lib/problem.ts';
import { PROBLEMS } from '#contract/problems.ts';
import type { ProblemCode } from '#contract/problems.ts';

describe('format', () => {
  it.each([
    [0, '0:00'],
    [7.9, '0:07'],
    [187, '3:07'],
    [3729, '1:02:09'],
    [null, '–'],
    [Number.POSITIVE_INFINITY, '–'],
  ])('shows %s seconds as %s', (seconds, shown) => {
    expect(clockTime(seconds)).toBe(shown);
  });

  it('tells lengths in words of the language', () => {
    expect(lengthInWords(42, 'en')).toBe('42 sec');
    expect(lengthInWords(2700, 'en')).toBe('45 min');
    expect(lengthInWords(4320, 'en')).toBe('1 hr 12 min');
    expect(lengthInWords(4320, 'de')).toBe('1 Std. 12 Min.');
  });

  it('tells times from now', () => {
    const now = 1_700_000_000_000;
    expect(timeAgo(1_700_000_000 - 300, 'en', now)).toBe('5 minutes ago');
    expect(timeAgo(1_700_000_000 - 86_400, 'de', now)).toBe('gestern');
    expect(timeAgo(1_700_000_000 - 3 * 365 * 86_400, 'en', now)).toBe('3 years ago');
  });

  it('draws initials from any name', () => {
    expect(initials('Ana Lima')).toBe('AL');
    expect(initials('björk')).toBe('B');
    expect(initials('a.b-c_d')).toBe('AD');
    expect(initials('  ')).toBe('?');
    expect(initials('𝒳 y')).toBe('𝒳Y');
  });

  it('gives a person the same one of eight colours always, and uses all of them', () => {
    expect(presenceIndex('abc')).toBe(presenceIndex('abc'));
    const used = new Set(Array.from({ length: 200 }, (_, i) => presenceIndex(`user-${i}`)));
    expect([...used].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  it('makes UUIDs of version 4', () => {
    expect(uuid()).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });
});

describe('calls', () => {
  it('leave empty query values out and encode the rest', () => {
    expect(addressOf('/library/tracks', { q: 'a b&c', cursor: '', limit: 0, missing: undefined })).toBe(
      '/api/v1/library/tracks?q=a+b%26c&limit=0',
    );
  });

  it('know exactly the codes the contract calls retryable', () => {
    for (const code of Object.keys(PROBLEMS) as ProblemCode[]) {
      const problem = new ApiProblem({ code, status: PROBLEMS[code].status, detail: '' });
      expect(problem.retryable, code).toBe(PROBLEMS[code].retryable);
    }
  });

  it('turn anything thrown into a problem', () => {
    expect(asProblem(new Error('oh')).detail).toBe('oh');
    expect(asProblem({ code: 'forbidden', status: 403, detail: 'no', title: 'x', type: 'y' }).code).toBe('forbidden');
    expect(asProblem('x').code).toBe('unreadable');
  });
});
