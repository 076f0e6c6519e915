/** `npm test`: the checks, then every test; closes with one line over all of them. */
import { conclude, runScript, runVitest } from './run-vitest.ts';

const only = process.argv.slice(2);
const counts = [];
if (only.length === 0) {
  counts.push(await runScript('build'));
  counts.push(await runScript('check'));
}
counts.push(await runVitest({ config: 'vitest.config.ts', only }));
process.exit(conclude(counts));
