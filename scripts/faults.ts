/** `npm run test:faults`: the tests of faults, with ten times as many kills as `npm test`. */
import { conclude, runVitest } from './run-vitest.ts';

const counts = await runVitest({
  config: 'vitest.config.ts',
  only: ['test/faults'],
  env: { FAULT_KILLS: process.env.FAULT_KILLS ?? '200' },
});
process.exit(conclude([counts]));
