/** What an installation makes of itself on its first start (trust.md F7). */
import { readFileSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { makeFolders, spawnServer, startServer } from '../support/server.ts';
import { Browser, PASSWORD } from './identity/harness.ts';
import type { Folders } from '../support/server.ts';

const folders: Folders[] = [];
function freshFolders(): Folders {
  const fresh = makeFolders();
  folders.push(fresh);
  return fresh;
}
afterAll(() => folders.forEach((each) => each.remove()));

const profileOf = (url: string, browser: Browser) => browser.send(`${url}/api/v1/auth/profile`);

async function makeAdmin(url: string, link: string): Promise<Browser> {
  const token = new URL(link).searchParams.get('token') ?? '';
  const browser = new Browser();
  const made = await browser.post(`${url}/setup`, { token, username: 'olive', display_name: '', password: PASSWORD });
  await browser.post(made.url, { username: 'olive', password: PASSWORD });
  expect(await (await profileOf(url, browser)).json()).toMatchObject({ username: 'olive', roles: ['admin'] });
  return browser;
}

describe('a fresh installation', () => {
  test('[F7] two have no secret in common, and keep theirs where only the owner reads', async () => {
    const secretsOf = async ({ dataDir }: Folders): Promise<string[]> => {
      const keys = JSON.parse(readFileSync(path.join(dataDir, 'keys.json'), 'utf8')) as {
        signing: { kid: string; n: string; d: string }[];
        cookie_keys: string[];
        client_secret: string;
      };
      const box = readFileSync(path.join(dataDir, 'secret-keys'), 'utf8').trim();
      return [
        ...keys.signing.flatMap(({ kid, n, d }) => [kid, n, d]),
        ...keys.cookie_keys,
        keys.client_secret,
        ...box.split(',').map((entry) => entry.split(':')[1] ?? ''),
      ];
    };
    const both: string[][] = [];
    for (const fresh of [freshFolders(), freshFolders()]) {
      const server = await startServer(fresh);
      const link = new URL((await server.identity.setupLink()) ?? '');
      both.push([...(await secretsOf(fresh)), link.searchParams.get('token') ?? '']);
      await server.stop();
      for (const name of readdirSync(fresh.dataDir)) {
        if (/keys/.test(name))
          expect([name, statSync(path.join(fresh.dataDir, name)).mode & 0o777]).toEqual([name, 0o600]);
      }
    }
    expect(both[0]?.length).toBeGreaterThanOrEqual(7);
    for (const secret of both.flat()) expect(secret.length).toBeGreaterThanOrEqual(43);
    expect(new Set(both.flat()).size).toBe(both.flat().length);
  });

  test('[F7] no registration, no development pages; the link makes one account; a restart keeps keys and sessions', async () => {
    const fresh = freshFolders();
    let program = await spawnServer(fresh);
    try {
      for (const [method, path] of [
        ['POST', '/oidc/reg'],
        ['GET', '/oidc/reg'],
        ['POST', '/oidc/reg/some-client'],
        ['POST', '/oidc/me'],
        ['POST', '/oidc/token/introspection'],
        ['POST', '/oidc/token/revocation'],
        ['POST', '/oidc/device/auth'],
        ['POST', '/oidc/request'],
        ['GET', '/oidc/session/end'],
      ] as const) {
        expect([path, (await fetch(program.url + path, { method })).status]).toEqual([path, 404]);
      }
      const link = program.setupLink ?? '';
      const browser = await makeAdmin(program.url, link);
      const token = new URL(link).searchParams.get('token') ?? '';
      const second = { token, username: 'eve', display_name: '', password: PASSWORD };
      expect((await new Browser().post(`${program.url}/setup`, second)).status).toBe(404);
      expect((await new Browser().open(link)).status).toBe(404);
      const jwks = await (await fetch(`${program.url}/oidc/jwks`)).text();
      const { port } = new URL(program.url);

      expect(await program.stop()).toBe(0);
      program = await spawnServer(fresh, { env: { PORT: port } });
      expect(program.setupLink).toBeNull();
      expect((await new Browser().post(`${program.url}/setup`, second)).status).toBe(404);
      expect(await (await fetch(`${program.url}/oidc/jwks`)).text()).toBe(jwks);
      expect((await profileOf(program.url, browser)).status).toBe(200);
      // The provider knows the browser as well, and so does the mark that it was used before.
      browser.cookies.delete('sbm_session');
      await browser.open(`${program.url}/api/v1/auth/login?return_to=/healthz`);
      expect((await profileOf(program.url, browser)).status).toBe(200);
      expect(program.output()).not.toMatch(new RegExp(`${PASSWORD}|eyJ`));
    } finally {
      await program.stop();
    }
  });

  test('[F7] of two people with the link at once, one becomes the administrator', async () => {
    const server = await startServer(freshFolders());
    try {
      const link = new URL((await server.identity.setupLink()) ?? '');
      const token = link.searchParams.get('token') ?? '';
      const answers = await Promise.all(
        ['olive', 'eve', 'mallory'].map((username) =>
          fetch(`${server.url}/setup`, {
            method: 'POST',
            redirect: 'manual',
            headers: { origin: server.url },
            body: new URLSearchParams({ token, username, password: PASSWORD }),
          }),
        ),
      );
      expect(answers.map(({ status }) => status).sort()).toEqual([303, 404, 404]);
      const accounts = await server.ctx.db.selectFrom('local_accounts').select('role').execute();
      expect(accounts).toEqual([{ role: 'admin' }]);
      const acts = await server.ctx.db.selectFrom('audit_events').select(['action', 'details_json']).execute();
      expect(acts.filter(({ action }) => action === 'user.created')).toHaveLength(1);
    } finally {
      await server.stop();
    }
  });
});
