import { randomBytes } from 'node:crypto';
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { InterruptedError, RefusedError } from './terminal.ts';

/** Asks without showing what is typed. @throws InterruptedError */
async function askHidden(question: string): Promise<string> {
  process.stderr.write(question);
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: nowhere, terminal: true, historySize: 0 });
  try {
    return await new Promise<string>((resolve, reject) => {
      const stop = () => reject(new InterruptedError());
      lines.once('SIGINT', stop);
      lines.once('close', stop);
      lines.question('').then(resolve, reject);
    });
  } finally {
    lines.close();
    process.stderr.write('\n');
  }
}

async function readStdin(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) chunks.push(chunk);
  // A shell's echo ends with a line break that nobody means.
  return Buffer.concat(chunks)
    .toString('utf8')
    .replace(/\r?\n$/, '');
}

/** The new account's password; `isMadeUp` when it has to be told. */
export async function obtainPassword(fromStdin: boolean): Promise<{ password: string; isMadeUp: boolean }> {
  if (fromStdin) return { password: await readStdin(), isMadeUp: false };
  if (!process.stdin.isTTY) return { password: randomBytes(15).toString('base64url'), isMadeUp: true };
  const password = await askHidden('Password: ');
  if ((await askHidden('The same again: ')) !== password) throw new RefusedError('The two passwords differ.');
  return { password, isMadeUp: false };
}
