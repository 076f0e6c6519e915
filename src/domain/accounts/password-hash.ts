import { argon2, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { DomainError } from '../errors.ts';

const derive = promisify(argon2);

/** OWASP password storage cheat sheet: argon2id with 19 MiB, two passes, one lane. */
const COST = { memory: 19_456, passes: 2, parallelism: 1 };
const TAG_BYTES = 32;
const SALT_BYTES = 16;
/** Hashes at once: each takes a core and 19 MiB, and two cores must serve everything else too. */
const AT_ONCE = 2;
/** Beyond this many waiting, saying "try again" is kinder than a request that times out. */
const MAX_WAITING = 50;

let running = 0;
const waiting: (() => void)[] = [];

async function inTurn<T>(work: () => Promise<T>): Promise<T> {
  if (running >= AT_ONCE) {
    if (waiting.length >= MAX_WAITING) {
      throw new DomainError('unavailable', 'Too many people are signing in at once. Try again in a moment.', {
        retryAfter: 5,
      });
    }
    await new Promise<void>((resolve) => waiting.push(resolve));
  } else running++;
  try {
    return await work();
  } finally {
    // The place passes to the next in line without being free in between.
    const next = waiting.shift();
    if (next === undefined) running--;
    else next();
  }
}

/** Without padding, as PHC strings have it. */
const toBase64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64').replace(/=+$/, '');
/** The same password typed on another keyboard may come in another Unicode form. */
const toMessage = (password: string): Buffer => Buffer.from(password.normalize('NFKC'));

/** Hashes a password into a PHC string: `$argon2id$v=19$m=…,t=…,p=…$salt$hash`. */
export async function hashPassword(password: string): Promise<string> {
  const nonce = randomBytes(SALT_BYTES);
  const tag = await inTurn(() =>
    derive('argon2id', { message: toMessage(password), nonce, tagLength: TAG_BYTES, ...COST }),
  );
  return `$argon2id$v=19$m=${COST.memory},t=${COST.passes},p=${COST.parallelism}$${toBase64(nonce)}$${toBase64(tag)}`;
}

const PHC = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/;

/** Whether the password is the one behind the PHC string, with the cost that string names. */
export async function verifyPassword(phc: string, password: string): Promise<boolean> {
  const parts = PHC.exec(phc);
  if (parts === null) throw new Error('a stored password hash is not an argon2id PHC string');
  const [, memory, passes, parallelism, salt = '', hash = ''] = parts;
  const expected = Buffer.from(hash, 'base64');
  const actual = await inTurn(() =>
    derive('argon2id', {
      message: toMessage(password),
      nonce: Buffer.from(salt, 'base64'),
      tagLength: expected.length,
      memory: Number(memory),
      passes: Number(passes),
      parallelism: Number(parallelism),
    }),
  );
  return timingSafeEqual(actual, expected);
}

let decoy: Promise<string> | null = null;

/** Spends what checking a real password would, for a name that is nobody's. */
export async function pretendToVerify(password: string): Promise<void> {
  decoy ??= hashPassword(randomBytes(SALT_BYTES).toString('hex'));
  await verifyPassword(await decoy, password);
}

/** Prepares the decoy, so that the first unknown name after a start takes no longer than the next. */
export async function warmUpPasswordHash(): Promise<void> {
  await pretendToVerify('');
}
