import { randomBytes } from 'node:crypto';
import { chmod, link, mkdir, open, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { calculateJwkThumbprint, exportJWK, generateKeyPair } from 'jose';
import { z } from 'zod';
import type { JWK } from 'jose';

const SigningKey = z.looseObject({
  kty: z.literal('RSA'),
  kid: z.string(),
  alg: z.literal('RS256'),
  n: z.string(),
  e: z.string(),
  d: z.string(),
});
const KeyFile = z.object({
  /** The first signs, all verify. */
  signing: z.array(SigningKey).min(1),
  /** The first signs the provider's cookies, all verify. */
  cookie_keys: z.array(z.string().min(32)).min(1),
  /** What our own web client proves itself with to our own provider. */
  client_secret: z.string().min(32),
});

export interface ProviderKeys {
  signing: JWK[];
  cookieKeys: string[];
  clientSecret: string;
}

/** The public halves, for checking what the embedded provider signed. */
export function publicKeys(keys: ProviderKeys): { keys: JWK[] } {
  return { keys: keys.signing.map(({ kty, kid, alg, n, e }) => ({ kty, kid, alg, n, e, use: 'sig' }) as JWK) };
}

async function makeKeys(): Promise<z.infer<typeof KeyFile>> {
  const { privateKey } = await generateKeyPair('RS256', { modulusLength: 2048, extractable: true });
  const jwk = await exportJWK(privateKey);
  const kid = await calculateJwkThumbprint(jwk);
  return KeyFile.parse({
    signing: [{ ...jwk, kid, alg: 'RS256', use: 'sig' }],
    cookie_keys: [randomBytes(32).toString('base64url')],
    client_secret: randomBytes(32).toString('base64url'),
  });
}

/**
 * The embedded provider's keys from `keys.json` in the data folder; made on the first start, readable by the owner alone.
 * No two installations share one, and a restart keeps them.
 */
export async function loadKeys(dataDir: string): Promise<ProviderKeys> {
  const file = path.join(dataDir, 'keys.json');
  const text = (await readIfThere(file)) ?? (await writeFirst(file));
  const parsed = KeyFile.safeParse(parseJson(text));
  if (!parsed.success) {
    throw new Error(`${file} is damaged: restore it from a backup, or delete it (everybody then signs in again)`);
  }
  // A copy or a restored backup may have come with wider rights.
  await chmod(file, 0o600);
  return {
    signing: parsed.data.signing as JWK[],
    cookieKeys: parsed.data.cookie_keys,
    clientSecret: parsed.data.client_secret,
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The schema refuses it with the message that says what to do.
    return undefined;
  }
}

async function readIfThere(file: string): Promise<string | null> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** Written beside, flushed, then linked into place: a crash leaves no half file, and of two starts one wins for both. */
async function writeFirst(file: string): Promise<string> {
  await mkdir(path.dirname(file), { recursive: true });
  const draft = `${file}.${process.pid}.${randomBytes(4).toString('hex')}`;
  const handle = await open(draft, 'wx', 0o600);
  try {
    await handle.writeFile(JSON.stringify(await makeKeys(), null, 2));
    await handle.sync();
  } finally {
    await handle.close();
  }
  try {
    await link(draft, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await rm(draft, { force: true });
  }
  return readFile(file, 'utf8');
}
