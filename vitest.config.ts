import { stripTypeScriptTypes } from 'node:module';
import { fileURLToPath } from 'node:url';
import { compileModule } from 'svelte/compiler';
import { defineConfig } from 'vitest/config';
import type { Plugin } from 'vitest/config';

/** The client's state classes hold runes: compiled as for a server, they are plain values that tests can read. */
const runes: Plugin = {
  name: 'runes',
  enforce: 'pre',
  transform: {
    filter: { id: /\/client\/src\/.*\.svelte\.ts$/ },
    handler(code, id) {
      const { js } = compileModule(stripTypeScriptTypes(code), { filename: id, generate: 'server' });
      return { code: js.code, map: null };
    },
  },
};

export default defineConfig({
  plugins: [runes],
  resolve: {
    alias: {
      // Kit's own modules exist only inside its build.
      '$app/navigation': fileURLToPath(new URL('test/client/support/navigation.ts', import.meta.url)),
      // The part of it that is no component.
      '@tanstack/svelte-query': '@tanstack/query-core',
    },
  },
  test: {
    include: ['test/**/*.test.ts'],

    // Two cores: more workers would only make timing worse.
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: ['default'],
  },
});
