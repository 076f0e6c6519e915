import { describe, expect, it } from 'vitest';
import { accountDe } from '../../../client/src/lib/messages/account.de.ts';
import { accountEn } from '../../../client/src/lib/messages/account.en.ts';
import { adminDe } from '../../../client/src/lib/messages/admin.de.ts';
import { adminEn } from '../../../client/src/lib/messages/admin.en.ts';
import { listeningDe } from '../../../client/src/lib/messages/listening.de.ts';
import { listeningEn } from '../../../client/src/lib/messages/listening.en.ts';
import { playlistsDe } from '../../../client/src/lib/messages/playlists.de.ts';
import { playlistsEn } from '../../../client/src/lib/messages/playlists.en.ts';
import { de } from '../../../client/src/lib/messages/de.ts';
import { en } from '../../../client/src/lib/messages/en.ts';

/** A sample that passes for a number where one is counted and for words everywhere else. */
const sampleOf = (count: number) => Object.assign(Object(count) as number, { replace: () => String(count) });

/** Every text of a catalogue by its path; functions are called with as many sample values as they take. */
function texts(node: unknown, path = ''): Map<string, string> {
  const found = new Map<string, string>();
  if (typeof node === 'string') found.set(path, node);
  else if (typeof node === 'function') {
    for (const sample of [1, 3])
      found.set(`${path}(${sample})`, String(node(...Array.from({ length: node.length }, () => sampleOf(sample)))));
  } else if (typeof node === 'object' && node !== null) {
    for (const [key, value] of Object.entries(node))
      for (const entry of texts(value, `${path}.${key}`)) found.set(...entry);
  }
  return found;
}

describe.each([
  ['of the app', en, de],
  ['of the settings', accountEn, accountDe],
  ['of the administration', adminEn, adminDe],
  ['of listening', listeningEn, listeningDe],
  ['of playlists', playlistsEn, playlistsDe],
])('messages %s', (_which, one, other) => {
  const english = texts(one);
  const german = texts(other);

  it('have the same places in every language', () => {
    expect([...german.keys()].sort()).toEqual([...english.keys()].sort());
  });

  it('are never empty and never show a placeholder', () => {
    for (const [path, text] of [...english, ...german]) {
      expect(text.trim(), path).not.toBe('');
      expect(text, path).not.toMatch(/undefined|NaN|\[object|#/);
    }
  });

  it('are translated, not copied, wherever there is more than a name', () => {
    const same = [...english].filter(
      ([path, text]) => text.replace(en.app.name, '').split(' ').length > 3 && german.get(path) === text,
    );
    expect(same).toEqual([]);
  });
});
