import { readConfig } from './config.ts';
import { createServer } from './create-server.ts';
import { explain } from './explain.ts';
import { createLog } from './log.ts';
import type { RunningServer } from './create-server.ts';

const [major = 0] = process.versions.node.split('.').map(Number);
if (major < 24) {
  process.stderr.write(
    `This needs Node 24, and this is ${process.version}: start it with "npm start", which brings its own.\n`,
  );
  process.exit(1);
}

async function start(): Promise<RunningServer> {
  const config = readConfig(process.env);
  const log = createLog(config.logLevel);
  const server = await createServer({ config, log });
  const setup = await server.identity.setupLink();
  const lines = [`StepheyBot Music is listening on ${server.publicUrl}`];
  if (setup !== null) lines.push(`Make the first account (it is the administrator), one time only: ${setup}`);
  // In one piece: who waits for the first line finds the other.
  process.stdout.write(`${lines.join('\n')}\n`);
  server.analyser.start();
  server.scanner.start();
  return server;
}

let stopping: Promise<void> | null = null;
const starting = start();

/** A first signal ends in order, even while starting; a second one at once. */
function stop(): void {
  if (stopping !== null) process.exit(1);
  stopping = starting.then((server) => server.stop());
  stopping.then(
    () => process.exit(0),
    (error: unknown) => {
      process.stderr.write(`could not stop in order: ${error instanceof Error ? error.stack : String(error)}\n`);
      process.exit(1);
    },
  );
}
process.on('SIGTERM', stop);
process.on('SIGINT', stop);

starting.catch((error: unknown) => {
  const line = explain(error);
  process.stderr.write(line === null ? `${error instanceof Error ? error.stack : String(error)}\n` : `${line}\n`);
  process.exit(1);
});
