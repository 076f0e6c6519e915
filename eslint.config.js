import svelte from 'eslint-plugin-svelte';
import ts from 'typescript-eslint';

/** What a folder must not import: the arrows of docs/decisions/0001-slices-inside-layers.md. */
const never = (files, ...groups) => ({
  files,
  rules: {
    'no-restricted-imports': [
      'error',
      { patterns: groups.map(({ group, message }) => ({ group, message, allowTypeImports: false })) },
    ],
  },
});
const layer = (name, message) => ({ group: [`#${name}/*`, `**/${name}/**`], message });
const SQL = {
  group: ['**/*.table.ts', '**/*.repository.ts'],
  message: 'tables and repositories stay inside their slice',
};
const DOORS = {
  group: ['express', 'socket.io', 'engine.io', 'ws'],
  message: 'doors belong to src/server',
};

export default ts.config(
  {
    ignores: [
      'node_modules/',
      'client/build/',
      'client/.svelte-kit/',
      'client/node_modules/',
      'coverage/',
      'data/',
      'music/',
    ],
  },
  ...ts.configs.recommended,
  ...svelte.configs.recommended,
  {
    rules: {
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', ignoreRestSiblings: true },
      ],
      '@typescript-eslint/consistent-type-imports': [
        'error',
        { prefer: 'type-imports', fixStyle: 'separate-type-imports' },
      ],
      '@typescript-eslint/no-non-null-assertion': 'off',
      'no-empty': ['error', { allowEmptyCatch: false }],
      eqeqeq: 'error',
    },
  },
  {
    files: ['**/*.svelte', '**/*.svelte.ts'],
    languageOptions: { parserOptions: { parser: ts.parser } },
    rules: {
      'svelte/no-navigation-without-resolve': 'off',
      'svelte/require-each-key': 'error',
    },
  },
  {
    files: ['src/**/*.ts'],
    ignores: ['src/server/outbound.ts'],
    rules: {
      'no-restricted-globals': [
        'error',
        { name: 'fetch', message: 'use src/server/outbound.ts: the one outbound fetch' },
      ],
    },
  },
  {
    files: ['src/**/*.ts'],
    ignores: ['src/server/main.ts', 'src/server/cli.ts', 'src/server/demo.ts', 'src/server/config.ts'],
    rules: {
      'no-restricted-properties': [
        'error',
        { object: 'process', property: 'env', message: 'settings come from src/server/config.ts' },
      ],
    },
  },
  {
    files: ['src/domain/**/*.ts', 'src/rooms/**/*.ts'],
    rules: {
      'no-restricted-syntax': [
        'error',
        {
          selector: "CallExpression[callee.object.name='Date'][callee.property.name='now']",
          message: 'the time comes from ctx.clock',
        },
      ],
    },
  },
  never(
    ['src/contract/**/*.ts'],
    {
      group: ['#db/*', '#domain/*', '#rooms/*', '#server/*', '#client/*'],
      message: 'the contract knows nothing of the code',
    },
    DOORS,
  ),
  never(
    ['src/db/**/*.ts'],
    { group: ['#contract/*', '#domain/*', '#rooms/*', '#server/*'], message: 'db is generic over the schema' },
    DOORS,
  ),
  never(
    ['src/domain/**/*.ts'],
    layer('rooms', 'domain does not know who is here'),
    layer('server', 'domain does not know its doors'),
    DOORS,
    {
      // Another slice is reached by its commands, queries, access and rules. (Its own folder is `./`.)
      group: ['../*/*.table.ts', '../*/*.repository.ts'],
      message: 'another slice is reached by its queries, access and rules',
    },
  ),
  // database.ts lists every slice's tables: that is what it is for.
  { files: ['src/domain/database.ts'], rules: { 'no-restricted-imports': 'off' } },
  never(['src/rooms/**/*.ts'], layer('server', 'rooms do not know their doors'), DOORS, SQL, {
    group: ['kysely'],
    message: 'rooms ask the domain',
  }),
  never(['src/server/**/*.ts'], SQL),
  never(['migrations/**/*.ts'], {
    group: ['#*', '../src/**'],
    message: 'a migration must not change when the code does',
  }),
  never(['client/src/**/*.{ts,svelte}'], {
    group: ['#db/*', '#domain/*', '#rooms/*', '#server/*'],
    message: 'the client knows the contract and nothing else of the server',
  }),
);
