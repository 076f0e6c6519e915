import { fileURLToPath } from 'node:url';
import adapter from '@sveltejs/adapter-static';
import { sveltekit } from '@sveltejs/kit/vite';
import { defineConfig } from 'vite';
import type { Plugin } from 'vite';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/**
 * Kit hides its route announcer with a style attribute, which our Content-Security-Policy refuses;
 * base.css hides it instead, by id.
 */
const announcerWithoutInlineStyle: Plugin = {
  name: 'announcer-without-inline-style',
  enforce: 'pre',
  transform: {
    filter: { id: /@sveltejs\/kit\/src\/runtime\/components\/root\.svelte$/ },
    // Without a map of its own: what is cut out is one attribute at the end of a file nobody steps through.
    handler: (code) => ({ code: code.replace(/(id="svelte-announcer"[^>]*?)\sstyle="[^"]*"/, '$1'), map: null }),
  },
};

/** The gateway speaks WebSocket alone (contract §4); the library brings its other ways along unless they are left out here. */
const webSocketOnly: Plugin = {
  name: 'websocket-only',
  enforce: 'pre',
  transform: {
    filter: { id: /engine\.io-client\/build\/esm\/transports\/index\.js$/ },
    handler: () => ({
      code: "import { WS } from './websocket.js';\nexport const transports = { websocket: WS };",
      map: null,
    }),
  },
};

const APP = /client\/src\/(lib|ui|features\/(shell|accounts|social|listens))\//;
/** Fetched with the views that need it, however many those are. */
const LATER = new RegExp(
  'client/src/(' +
    [
      'lib/messages/(.*de|account\\.en|admin\\.en|listening\\.en|playlists\\.en)\\.ts',
      'lib/(remote-list|listening-words|playlist-words|picture|calendar|upload)',
      'ui/(CopyField|ConfirmDialog|ConfirmTyped|Dialog|Field|FileDrop|InlineText|ProgressBar|Select|Switch)',
      'features/accounts/(settings/|profile|ReauthDialog)',
      'features/social/(FollowButton|social\\.queries)',
      'features/shell/(ShortcutSheet|ShortcutList|Forbidden|notice)',
    ].join('|') +
    ')',
);

export default defineConfig({
  root: here('.'),
  plugins: [
    announcerWithoutInlineStyle,
    webSocketOnly,
    // The absolute path keeps the output in client/build wherever the build is called from.
    sveltekit({ adapter: adapter({ pages: here('./build'), fallback: 'index.html', precompress: true }) }),
  ],
  build: {
    target: 'es2022',
    assetsInlineLimit: 0,
    rolldownOptions: {
      output: {
        codeSplitting: {
          // What every signed-in view needs, in few files: one by one the small ones compress badly.
          groups: [
            {
              name: 'vendor',
              test: /node_modules\/(svelte|@tanstack|socket\.io|engine\.io|@socket\.io|esm-env|clsx|devalue)/,
            },
            {
              name: 'app',
              test: (id) => APP.test(id) && !LATER.test(id),
              minShareCount: 3,
            },
            { name: 'icons', test: /@lucide\/svelte\//, minShareCount: 4 },
          ],
        },
      },
    },
  },
});
