import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import sirv from 'sirv';
import type { Request, Response, Router } from 'express';

export interface ClientFiles {
  /** Hashes of the scripts in the page itself, for the content security policy. */
  scriptHashes: string[];
  /** Serves the built files, and the page for every other address a browser may open. */
  mount(router: Router): void;
}

/** Serves the built client from `folder`; without a build, says how to make one. */
export function clientFiles(folder: string): ClientFiles {
  const file = path.join(folder, 'index.html');
  if (!existsSync(file)) {
    return {
      scriptHashes: [],
      mount(router) {
        router.get('/{*rest}', (req, res, next) =>
          wantsPage(req)
            ? res.status(503).type('text/plain').send('The client is not built. Run: npm run build\n')
            : next(),
        );
      },
    };
  }
  const html = readFileSync(file, 'utf8');
  const scripts = [...html.matchAll(/<script(?![^>]*\ssrc=)[^>]*>([\s\S]*?)<\/script>/g)].map(
    (match) => match[1] ?? '',
  );
  const scriptHashes = scripts.map((script) => `'sha256-${createHash('sha256').update(script).digest('base64')}'`);
  const etag = `"${createHash('sha256').update(html).digest('base64url').slice(0, 22)}"`;

  const sendPage = (req: Request, res: Response) => {
    res.set('cache-control', 'no-cache').set('etag', etag);
    if (req.fresh) res.status(304).end();
    else res.type('html').send(html);
  };
  return {
    scriptHashes,
    mount(router) {
      router.use(
        sirv(folder, {
          // The build holds a .br and a .gz beside each file.
          brotli: true,
          gzip: true,
          etag: true,
          // The page itself is sent below, for every address.
          ignores: [/^\/(index\.html)?$/],
          setHeaders(res, pathname) {
            // Names below it carry a hash of their content.
            const isImmutable = pathname.startsWith('/_app/immutable/');
            res.setHeader('cache-control', isImmutable ? 'public, max-age=31536000, immutable' : 'no-cache');
          },
        }),
      );
      router.get('/{*rest}', (req, res, next) => (wantsPage(req) ? sendPage(req, res) : next()));
    },
  };
}

/** Asked for by a browser that opens an address, not by a script after a file. */
function wantsPage(req: Request): boolean {
  if (/^\/(api|1|socket\.io|yjs|oidc|metrics)(\/|$)/.test(req.path)) return false;
  const isFile = /\.[a-z0-9]{1,8}$/i.test(req.path) || req.path.startsWith('/_app/');
  return !isFile && req.accepts(['html', 'json']) === 'html';
}
