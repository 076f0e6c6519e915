import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ConfigError } from '#server/config.ts';
import { openSecretBox, parseSecretKeys } from '#server/secrets.ts';
import { makeFolders } from '../support/server.ts';
import type { Folders } from '../support/server.ts';

const PLACE = { user_id: 'u1', table: 'user_sessions', column: 'refresh_token_encrypted' };
const key = (id: string) => `${id}:${randomBytes(32).toString('base64')}`;

let folders: Folders;
beforeEach(() => {
  folders = makeFolders();
});
afterEach(() => folders.remove());

const file = () => path.join(folders.dataDir, 'secret-keys');
const box = (secretKeys: string | null = null) => openSecretBox({ secretKeys, dataDir: folders.dataDir });

describe('the secret box', () => {
  test('[AD10] what is sealed opens again at its place, and says nothing of its text', () => {
    const secrets = box();
    for (const text of ['', 'a', 'p4ss wörd 🎵', 'x'.repeat(100_000)]) {
      const sealed = secrets.seal(text, PLACE);
      expect(sealed).toMatch(/^[\w-]+\.[\w-]{16}\.[\w-]{22,}$/);
      expect(sealed.startsWith(`${secrets.keyId}.`)).toBe(true);
      expect(secrets.open(sealed, PLACE)).toBe(text);
      // A fresh random IV each time: equal texts cannot be told to be equal.
      expect(secrets.seal(text, PLACE)).not.toBe(sealed);
    }
  });

  test('[AD10] moved to another person, table or column it does not open', () => {
    const secrets = box();
    const sealed = secrets.seal('secret', PLACE);
    for (const elsewhere of [
      { ...PLACE, user_id: 'u2' },
      { ...PLACE, table: 'local_accounts' },
      { ...PLACE, column: 'id_token_encrypted' },
    ]) {
      expect(() => secrets.open(sealed, elsewhere)).toThrow('changed, or belongs elsewhere');
    }
  });

  test('[AD10] with any one byte changed it does not open', () => {
    const secrets = box();
    const sealed = secrets.seal('a secret', PLACE);
    const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    for (let i = 0; i < sealed.length; i++) {
      for (const other of ['A', '_', '.', ALPHABET[(ALPHABET.indexOf(sealed[i]!) ^ 1) & 63]!]) {
        if (other === sealed[i]) continue;
        const changed = sealed.slice(0, i) + other + sealed.slice(i + 1);
        let opened: string | null = null;
        try {
          // Another key id is a key that is not here.
          opened = secrets.open(changed, PLACE);
        } catch (error) {
          expect((error as Error).message).toMatch(/changed, or belongs elsewhere|no sealed text/);
        }
        expect({ changed, opened }).toEqual({ changed, opened: null });
      }
    }
    for (const odd of ['', '.', '..', 'a.b.c', sealed.slice(0, -1), `${sealed}A`, `${sealed}.`, `x${sealed}\n`]) {
      let opened: string | null = null;
      try {
        opened = secrets.open(odd, PLACE);
      } catch (error) {
        expect(error).toBeInstanceOf(Error);
      }
      expect({ odd, opened }).toEqual({ odd, opened: null });
    }
  });

  test('[AD10] without its key it is locked, which is no error', () => {
    const sealed = box().seal('secret', PLACE);
    rmSync(file());
    expect(box().open(sealed, PLACE)).toBeNull();
    expect(box(key('other')).open(sealed, PLACE)).toBeNull();
  });

  test('[AD10] the key file is made once, readable by its owner alone', () => {
    const first = box();
    const text = readFileSync(file(), 'utf8');
    expect(statSync(file()).mode & 0o777).toBe(0o600);
    chmodSync(file(), 0o644);
    expect(box().keyId).toBe(first.keyId);
    expect(statSync(file()).mode & 0o777).toBe(0o600);
    expect(readFileSync(file(), 'utf8')).toBe(text);
    expect(readdirSync(folders.dataDir)).toEqual(['secret-keys']);
  });

  test('[AD11] a new key seals, the older ones still open, and a box beside it follows', () => {
    const [mine, beside] = [box(), box()];
    const old = mine.seal('old', PLACE);
    const before = mine.keyId;
    expect(mine.addKey()).toBe(true);
    expect(mine.keyId).not.toBe(before);
    const fresh = mine.seal('new', PLACE);
    expect(beside.open(fresh, PLACE)).toBe('new');
    expect(beside.seal('x', PLACE).startsWith(`${mine.keyId}.`)).toBe(true);
    expect([mine.open(old, PLACE), beside.open(old, PLACE), box().open(old, PLACE)]).toEqual(['old', 'old', 'old']);
    expect(beside.addKey()).toBe(true);
    expect(mine.open(beside.seal('y', PLACE), PLACE)).toBe('y');
    expect(parseSecretKeys(readFileSync(file(), 'utf8'), 'file')).toHaveLength(3);
    expect(readdirSync(folders.dataDir)).toEqual(['secret-keys']);
  });

  test('[AD11] of two who add a key at once one is refused, and no key is lost', () => {
    const secrets = box();
    const sealed = secrets.seal('secret', PLACE);
    writeFileSync(`${file()}.lock`, '');
    expect(() => secrets.addKey()).toThrow(ConfigError);
    expect(secrets.open(sealed, PLACE)).toBe('secret');
    rmSync(`${file()}.lock`);
    expect(secrets.addKey()).toBe(true);
    expect(existsSync(`${file()}.lock`)).toBe(false);
  });

  test('[AD11] SECRET_KEYS: the first seals, all open, none is added, no file is made', () => {
    const [one, two] = [key('one'), key('two')];
    const sealed = box(one).seal('secret', PLACE);
    const both = box(`${two},${one}`);
    expect([both.keyId, both.open(sealed, PLACE), both.addKey()]).toEqual(['two', 'secret', false]);
    expect(existsSync(folders.dataDir)).toBe(false);
  });

  test.each([
    ['nothing', ''],
    ['no id', randomBytes(32).toString('base64')],
    ['a short key', `a:${randomBytes(31).toString('base64')}`],
    ['a long key', `a:${randomBytes(33).toString('base64')}`],
    ['an id with a dot', `a.b:${randomBytes(32).toString('base64')}`],
    ['an id twice', `${key('a')},${key('a')}`],
    ['an empty place', `${key('a')},`],
  ])('[AD11] SECRET_KEYS with %s is refused in one line without the keys', (_what, text) => {
    expect(() => box(text)).toThrow(ConfigError);
    try {
      box(text);
    } catch (error) {
      const { message } = error as Error;
      expect(message).toMatch(/^SECRET_KEYS: .*$/);
      for (const part of text.split(/[,:]/).filter((one) => one.length > 8)) expect(message).not.toContain(part);
    }
  });

  test('[AD11] a key file that makes no sense is refused and left as it is', () => {
    mkdirSync(folders.dataDir, { recursive: true });
    writeFileSync(file(), 'nonsense\n');
    expect(() => box()).toThrow(ConfigError);
    expect(readFileSync(file(), 'utf8')).toBe('nonsense\n');
  });
});
