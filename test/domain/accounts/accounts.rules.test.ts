import { describe, expect, test } from 'vitest';
import {
  foldUsername,
  isReservedUsername,
  normalizeUsername,
  roleFromClaims,
  usernameFromClaims,
  usernameProblem,
  usernameSkeleton,
  withSuffix,
} from '#domain/accounts/accounts.rules.ts';
import { LOOKALIKES } from '../../support/lookalikes.ts';
import { parsePreferences } from '#domain/accounts/preferences.ts';
import { DEFAULT_PREFERENCES } from '#contract/accounts.ts';

describe('usernames', () => {
  test.each(['ana', 'Ana_B', 'a1', 'jörg', 'Ольга', 'Νίκος', '音楽', 'x.y-z', 'a'.repeat(40), 'नमस्ते'])(
    '[ID20] %s is a username',
    (name) => expect(usernameProblem(normalizeUsername(name))).toBeNull(),
  );

  test.each([
    'a',
    '',
    'a'.repeat(41),
    'with space',
    'a@b',
    'a/b',
    '.ana',
    'ana.',
    'ana-',
    '-ana',
    'a..b',
    'a\u200bna',
    'an\u202ea',
    'ana\u0000',
    'e\u0316\u0317\u0318x',
    'аdmin',
    'pаypal',
    'Ανa',
    'oлga',
    'ana😀',
    'ana\ufe0f',
    'a\u034fna',
    'ana\u3164',
    'a\u115fna',
    'an\u00ada',
    'an\u2060a',
    'a\u200fna',
    '\u202eana',
    `a${'\u0301'.repeat(500)}`,
    `a${'\u0301b\u0301'.repeat(500)}`,
  ])('[ID20] %j is not', (name) => expect(usernameProblem(normalizeUsername(name))).not.toBeNull());

  test.each([
    ['ANA', 'ana'],
    ['Ａｎａ', 'ana'],
    ['straße', 'STRASSE'],
    ['Σίσυφος', 'ΣΊΣΥΦΟΣ'],
    ['ﬁona', 'fiona'],
    ['e\u0301ric', 'ÉRIC'],
  ])('[ID20] %s and %s are one name', (a, b) => expect(foldUsername(a)).toBe(foldUsername(b)));

  test('[ID21] reserved names are refused, an office only to whoever does not hold it', () => {
    expect(isReservedUsername('System', 'admin')).toBe(true);
    expect(isReservedUsername('ADMIN', 'user')).toBe(true);
    expect(isReservedUsername('admin', 'admin')).toBe(false);
    expect(isReservedUsername('ana', 'user')).toBe(false);
  });

  test.each(['adrnin', 'ADRNIN', 'roοt', 'systern', 'nu11', 'a11', 'Mod', 'rnod', 'aԁmin', 'nobody'])(
    '[ID73] %s would be taken for a reserved name',
    (name) => expect(isReservedUsername(name, 'user')).toBe(true),
  );

  test('[F6] each of fifty lookalikes is refused beside the name it looks like: as a spelling, or as taken', () => {
    expect(LOOKALIKES).toHaveLength(50);
    const accepted = LOOKALIKES.filter(
      ([name, lookalike]) =>
        usernameProblem(normalizeUsername(lookalike)) === null &&
        foldUsername(name) !== foldUsername(lookalike) &&
        usernameSkeleton(name) !== usernameSkeleton(lookalike),
    );
    expect(accepted).toEqual([]);
    for (const [name, lookalike] of LOOKALIKES) {
      expect(usernameProblem(name)).toBeNull();
      expect(lookalike).not.toBe(name);
    }
  });

  test.each([
    ['ana', 'anna'],
    ['ben', 'den'],
    ['jorg', 'jörg'],
    ['resume', 'résumé'],
    ['Ольга', 'Олег'],
    ['user1', 'user2'],
  ])('[ID73] %s and %s are two names', (a, b) => expect(usernameSkeleton(a)).not.toBe(usernameSkeleton(b)));

  test.each([
    [{ username: 'ana' }, 'ana'],
    [{ username: 'ana@example.org' }, 'ana'],
    [{ username: 'Ana Maria  Braun' }, 'Ana-Maria-Braun'],
    [{ username: '<script>' }, 'script'],
    [{ username: '@@@', name: 'Ben' }, 'Ben'],
    [{ username: 'аdmin' }, 'listener'],
    [{}, 'listener'],
    [{ username: 'x'.repeat(200) }, 'x'.repeat(40)],
  ])('[ID22] a provider that says %j makes %s', (claims, name) => {
    expect(usernameFromClaims(claims)).toBe(name);
  });

  test('[ID22] a suffix fits within the limit', () => {
    expect(withSuffix('ana', 1)).toBe('ana');
    expect(withSuffix('ana', 2)).toBe('ana-2');
    expect(withSuffix('x'.repeat(40), 12)).toBe('x'.repeat(37) + '-12');
  });
});

test.each([
  [['guest', 'admin', 'user'], 'admin'],
  [['offline_access', 'guest', 'user'], 'user'],
  [['guest'], 'guest'],
  [['Admin', 'superadmin', 7, null], null],
  [undefined, null],
])('[ID23] of the roles %j the one that counts is %s', (roles, role) => {
  expect(roleFromClaims(roles)).toBe(role);
});

test('[ID24] preferences that are missing, wrong or unknown fall back one by one', () => {
  expect(parsePreferences('{}')).toEqual(DEFAULT_PREFERENCES);
  expect(parsePreferences('{"theme":"dark","language":"xx","old":1}')).toEqual({
    ...DEFAULT_PREFERENCES,
    theme: 'dark',
  });
  expect(parsePreferences('{"__proto__":{"theme":"light"}}')).toEqual(DEFAULT_PREFERENCES);
  expect(parsePreferences('null')).toEqual(DEFAULT_PREFERENCES);
});
