/** A real server with nothing but signing in, and a browser that keeps cookies as one does. */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import express from 'express';
import { createIdentity } from '#server/identity/identity.ts';
import { sendProblem } from '#server/http/problem.ts';
import { DIALECTS } from '../../support/dialects.ts';
import { testCtx } from '../../support/ctx.ts';
import type { Identity, IdentityConfig } from '#server/identity/identity.ts';
import type { Actor } from '#domain/context.ts';
import type { TestCtx } from '../../support/ctx.ts';
import type { TestDatabase } from '../../support/dialects.ts';
import type { TestIssuer } from '../../support/issuer.ts';
import type { AddressInfo } from 'node:net';

export interface TestApp {
  url: string;
  ctx: TestCtx;
  identity: Identity;
  /** Lines given to the log, as JSON, so that a test can look for what must not be there. */
  logged: string[];
  close(): Promise<void>;
}

export async function openSqlite(): Promise<TestDatabase> {
  const [sqlite] = DIALECTS;
  if (sqlite === undefined) throw new Error('no dialect');
  return sqlite.open();
}

export async function tempFolder(): Promise<{ folder: string; remove(): Promise<void> }> {
  const folder = await mkdtemp(path.join(tmpdir(), 'stepheybot-identity-'));
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) };
}

/** Listens first, so that the public address is known; `port` takes an earlier one again. */
export async function startApp(
  database: TestDatabase,
  dataDir: string,
  more: { issuer?: TestIssuer; port?: number; config?: Partial<IdentityConfig> } = {},
): Promise<TestApp> {
  const app = express();
  const server = createServer(app);
  server.listen(more.port ?? 0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  const logged: string[] = [];
  const ctx = testCtx(database);
  // The embedded provider and the issuer go by the real time.
  ctx.clock.set(Date.now());
  const log = (message: string, fields?: object, cause?: unknown) =>
    void logged.push(JSON.stringify({ message, ...fields, cause: cause === undefined ? undefined : String(cause) }));
  ctx.log = { debug: log, info: log, warn: log, error: log };

  const identity = await createIdentity({
    ctx,
    config: {
      publicUrl: url,
      ownOrigins: [],
      listenUrl: () => url,
      dataDir,
      oidcIssuer: more.issuer?.url ?? null,
      oidcClientId: more.issuer?.clientId ?? 'stepheybot-music',
      oidcClientSecret: more.issuer?.clientSecret ?? null,
      oidcAudience: 'stepheybot-music',
      oidcAllowedClients: ['stepheybot-music'],
      oidcInsecure: false,
      ...more.config,
    },
  });
  app.use(identity.router);
  app.all('/whoami', (req, res) => {
    identity.authenticate(req).then(
      (actor: Actor) => void res.json(actor),
      (error: unknown) => sendProblem(ctx, res, error),
    );
  });
  app.get('/', (_req, res) => void res.send('home'));
  return {
    url,
    ctx,
    identity,
    logged,
    async close() {
      await identity.close();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

interface Cookie {
  value: string;
  path: string;
  host: string;
}

/** Follows redirects and keeps cookies by host and path; sends what a browser says about where a request comes from. */
export class Browser {
  readonly cookies = new Map<string, Cookie>();
  /** A proxy in front: requests to `from` go to `to`, which is not told the name. */
  readonly proxy: { from: string; to: string } | null;

  constructor(proxy: { from: string; to: string } | null = null) {
    this.proxy = proxy;
  }

  cookie(name: string): string | undefined {
    return this.cookies.get(name)?.value;
  }

  setCookie(url: string, name: string, value: string): void {
    this.cookies.set(name, { value, path: '/', host: new URL(url).hostname });
  }

  /** One request, no redirect followed. */
  async send(url: string, init: RequestInit = {}): Promise<Response> {
    const { hostname, pathname } = new URL(url);
    const sent = [...this.cookies].filter(
      ([, cookie]) => cookie.host === hostname && `${pathname}/`.startsWith(cookie.path.replace(/\/?$/, '/')),
    );
    const headers = new Headers(init.headers);
    if (sent.length > 0) headers.set('cookie', sent.map(([name, { value }]) => `${name}=${value}`).join('; '));
    const answer = await fetch(this.proxy === null ? url : url.replace(this.proxy.from, this.proxy.to), {
      ...init,
      headers,
      redirect: 'manual',
    });
    for (const line of answer.headers.getSetCookie()) {
      const [pair = '', ...attributes] = line.split(';').map((part) => part.trim());
      const at = pair.indexOf('=');
      const name = pair.slice(0, at);
      const value = pair.slice(at + 1);
      const path = attributes.find((attribute) => /^path=/i.test(attribute))?.slice(5) ?? '/';
      const isGone = attributes.some((a) => /^max-age=0$/i.test(a) || /^expires=Thu, 01 Jan 1970/i.test(a));
      if (isGone) this.cookies.delete(name);
      else this.cookies.set(name, { value, path, host: hostname });
    }
    return answer;
  }

  /** Follows redirects to the end. */
  async open(
    url: string,
    init: RequestInit = {},
  ): Promise<{ url: string; status: number; text: string; headers: Headers }> {
    let at = url;
    let answer = await this.send(at, init);
    for (let hops = 0; answer.headers.has('location'); hops++) {
      if (hops === 15) throw new Error('too many redirects');
      at = new URL(answer.headers.get('location') ?? '', at).href;
      answer = await this.send(at);
    }
    return { url: at, status: answer.status, text: await answer.text(), headers: answer.headers };
  }

  /** Posts a form the way a page of the same address does. */
  post(url: string, fields: Record<string, string>, headers: Record<string, string> = {}): ReturnType<Browser['open']> {
    return this.open(url, {
      method: 'POST',
      body: new URLSearchParams(fields),
      headers: { origin: new URL(url).origin, 'sec-fetch-site': 'same-origin', ...headers },
    });
  }
}

export const PASSWORD = 'correct horse battery';

/** Walks through the login page as a person would. */
export async function signIn(
  app: { url: string },
  browser: Browser,
  username: string,
  password = PASSWORD,
  returnTo = '/',
): ReturnType<Browser['open']> {
  const page = await browser.open(`${app.url}/api/v1/auth/login?return_to=${encodeURIComponent(returnTo)}`);
  if (!page.text.includes('name="password"')) return page;
  return browser.post(page.url, { username, password });
}

export async function whoami(app: { url: string }, browser: Browser): Promise<Response> {
  return browser.send(`${app.url}/whoami`);
}
