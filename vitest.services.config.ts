import { defineConfig } from 'vitest/config';

/** `npm run test:services`: whatever meets a database, Redis or a provider, with the real ones. */
export default defineConfig({
  test: {
    include: ['test/{services,db,domain,rooms,server,fuzz}/**/*.test.ts'],
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: ['default'],
  },
});
