/** `npm run fuzz`: the fuzzers of the shared list at length. Each prints the seed it failed with; SEED=… repeats that one. */
import { conclude, runVitest } from './run-vitest.ts';

const counts = await runVitest({
  config: 'vitest.config.ts',
  only: ['test/fuzz'],
  env: { FUZZ_SEEDS: '2000', FUZZ_KILLS: '100' },
});
process.exit(conclude([counts]));
