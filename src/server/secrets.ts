/**
 * Seals what we keep of other services' and people's secrets: AES-256-GCM with a key that is not in the database, bound to
 * the place it belongs to, so that a stolen database opens nothing and a sealed text moved to another row opens nowhere.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { ConfigError } from './config.ts';
import type { SecretBox, SecretPlace } from '#domain/ports.ts';

const KEY_BYTES = 32;
/** NIST SP 800-38D §8.2: 96 bits, random, a fresh one each time. */
const IV_BYTES = 12;
const TAG_BYTES = 16;
const FILE = 'secret-keys';
/** `key id . iv . text and tag`; 12 bytes are 16 characters, and 16 are 22. */
const SEALED = /^([A-Za-z0-9_-]{1,32})\.([A-Za-z0-9_-]{16})\.([A-Za-z0-9_-]{22,})$/;
const ENTRY = /^([A-Za-z0-9_-]{1,32}):([A-Za-z0-9+/_-]+={0,2})$/;

interface Key {
  id: string;
  bytes: Buffer;
}

/**
 * Reads `id:base64,id:base64`.
 * @throws ConfigError that repeats no key
 */
export function parseSecretKeys(text: string, where: string): Key[] {
  const keys = text
    .trim()
    .split(',')
    .map((part) => {
      const [, id = '', encoded = ''] = ENTRY.exec(part.trim()) ?? [];
      const bytes = Buffer.from(encoded, 'base64');
      if (id === '' || bytes.length !== KEY_BYTES) {
        throw new ConfigError(`${where}: must be id:base64 pairs of ${KEY_BYTES} bytes each, separated by commas`);
      }
      return { id, bytes };
    });
  if (new Set(keys.map(({ id }) => id)).size < keys.length) throw new ConfigError(`${where}: names a key id twice`);
  return keys;
}

function write(keys: readonly Key[]): string {
  return `${keys.map(({ id, bytes }) => `${id}:${bytes.toString('base64')}`).join(',')}\n`;
}

const freshKey = (): Key => ({
  id: `k${Date.now().toString(36)}${randomBytes(2).toString('hex')}`,
  bytes: randomBytes(KEY_BYTES),
});

/** Puts a folder's entries on disk: what a key seals is stored at once, so its file must not come later. */
function syncFolder(folder: string): void {
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** Written beside and moved into place: a crash leaves the old file or the new one. */
function replaceFile(file: string, text: string): void {
  const draft = `${file}.${process.pid}.${randomBytes(4).toString('hex')}`;
  try {
    writeFileSync(draft, text, { mode: 0o600, flag: 'wx', flush: true });
    renameSync(draft, file);
  } finally {
    rmSync(draft, { force: true });
  }
  syncFolder(path.dirname(file));
}

/**
 * Runs `change` while nobody else changes the file: of two keys added at once neither may be lost, with all it sealed.
 * @throws ConfigError when somebody else is at it
 */
function alone(file: string, change: () => void): void {
  const lock = `${file}.lock`;
  try {
    writeFileSync(lock, '', { mode: 0o600, flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw new ConfigError(`another key is being added: if nothing else is running, remove ${lock}`);
  }
  try {
    change();
  } finally {
    rmSync(lock, { force: true });
  }
}

/** The key file, made when it is not there; of two starts at once one makes it for both. */
function readKeyFile(file: string): Key[] {
  try {
    statSync(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
    const draft = `${file}.${process.pid}.${randomBytes(4).toString('hex')}`;
    writeFileSync(draft, write([freshKey()]), { mode: 0o600, flag: 'wx', flush: true });
    try {
      linkSync(draft, file);
    } catch (raced) {
      if ((raced as NodeJS.ErrnoException).code !== 'EEXIST') throw raced;
    } finally {
      rmSync(draft, { force: true });
    }
    syncFolder(path.dirname(file));
  }
  // A copy or a restored backup may have come with wider rights.
  chmodSync(file, 0o600);
  return parseSecretKeys(readFileSync(file, 'utf8'), file);
}

const aadOf = ({ user_id, table, column }: SecretPlace, kid: string): Buffer =>
  Buffer.from([user_id, table, column, kid].join('\n'));

/** Opens the box of an installation: keys from `SECRET_KEYS`, else from a file of its own in the data folder. */
export function openSecretBox(options: { secretKeys: string | null; dataDir: string }): SecretBox {
  const file = path.join(options.dataDir, FILE);
  let keys = options.secretKeys === null ? readKeyFile(file) : parseSecretKeys(options.secretKeys, 'SECRET_KEYS');
  let readAtMs = options.secretKeys === null ? statSync(file).mtimeMs : 0;

  /** `npm run admin -- rotate-keys` beside a running server puts a new key into the file. */
  function lookAgain(): void {
    if (options.secretKeys !== null) return;
    const { mtimeMs } = statSync(file);
    if (mtimeMs === readAtMs) return;
    keys = readKeyFile(file);
    readAtMs = statSync(file).mtimeMs;
  }

  return {
    get keyId() {
      lookAgain();
      return keys[0]!.id;
    },
    seal(text, place) {
      lookAgain();
      const { id, bytes } = keys[0]!;
      const iv = randomBytes(IV_BYTES);
      const cipher = createCipheriv('aes-256-gcm', bytes, iv, { authTagLength: TAG_BYTES });
      cipher.setAAD(aadOf(place, id));
      const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
      return `${id}.${iv.toString('base64url')}.${sealed.toString('base64url')}`;
    },
    open(sealed, place) {
      const parts = SEALED.exec(sealed);
      if (parts === null) throw new Error('this is no sealed text');
      const [, id = '', iv = '', body = ''] = parts;
      let key = keys.find((one) => one.id === id);
      if (key === undefined) {
        lookAgain();
        key = keys.find((one) => one.id === id);
      }
      if (key === undefined) return null;
      try {
        const bytes = Buffer.from(body, 'base64url');
        // Base64 ignores the last bits of its last letter: only the one spelling is ours.
        if (bytes.toString('base64url') !== body) throw new Error('not canonical');
        const decipher = createDecipheriv('aes-256-gcm', key.bytes, Buffer.from(iv, 'base64url'), {
          authTagLength: TAG_BYTES,
        });
        decipher.setAAD(aadOf(place, id));
        decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
        return Buffer.concat([decipher.update(bytes.subarray(0, -TAG_BYTES)), decipher.final()]).toString('utf8');
      } catch (error) {
        throw new Error('a sealed text was changed, or belongs elsewhere', { cause: error });
      }
    },
    addKey() {
      if (options.secretKeys !== null) return false;
      alone(file, () => replaceFile(file, write([freshKey(), ...readKeyFile(file)])));
      lookAgain();
      return true;
    },
  };
}
