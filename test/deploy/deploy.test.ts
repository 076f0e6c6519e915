import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { SETTING_NAMES, readConfig } from '#server/config.ts';
import { BACKCHANNEL_LOGOUT_PATH } from '#server/identity/backchannel-logout.ts';
import { CALLBACK_PATH } from '#server/identity/sign-in.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const read = (file: string) => readFileSync(path.join(ROOT, file), 'utf8');

interface Service {
  command?: string[];
  environment: Record<string, string | null>;
  network_mode?: string;
  volumes: string[];
  ports?: string[];
}
const compose = parse(read('docker-compose.yml')) as {
  services: { keycloak: Service; app: Service };
  volumes: Record<string, unknown>;
};
const { keycloak, app } = compose.services;

/** As `docker compose` fills in `${NAME:-default}` and `${NAME:?message}`; a name without a value is passed on. */
function environmentOf({ environment }: Service, given: Record<string, string>): Record<string, string> {
  const filled: Record<string, string> = {};
  for (const [name, text] of Object.entries(environment)) {
    if (text === null) {
      if (given[name] !== undefined) filled[name] = given[name];
      continue;
    }
    filled[name] = text.replace(/\$\{(\w+)(?::([-?])([^}]*))?\}/g, (_, key: string, kind?: string, rest = '') => {
      const value = given[key] ?? '';
      if (value !== '') return value;
      if (kind === '?') throw new Error(`${key}: ${rest}`);
      return rest;
    });
  }
  return filled;
}

const SECRETS = { OIDC_CLIENT_SECRET: 'between-the-two', KC_ADMIN_PASSWORD: 'of-the-console' };
const PUBLIC = {
  ...SECRETS,
  PUBLIC_URL: 'https://music.example.org',
  KEYCLOAK_URL: 'https://login.example.org',
  TRUST_PROXY: '1',
  KC_PROXY_HEADERS: 'xforwarded',
};

describe('the realm file', () => {
  const text = read('deploy/keycloak/stepheybot-realm.json');
  /** As Keycloak replaces placeholders at import. */
  const realmFor = (values: Record<string, string>) =>
    JSON.parse(text.replace(/\$\{(\w+)\}/g, (_, name: string) => values[name] ?? `missing ${name}`)) as {
      realm: string;
      roles: { realm: { name: string }[] };
      users?: unknown;
      clientScopes?: unknown;
      clients: [
        {
          clientId: string;
          secret: string;
          publicClient: boolean;
          directAccessGrantsEnabled: boolean;
          redirectUris: string[];
          attributes: Record<string, string>;
          protocolMappers: { protocolMapper: string; config: Record<string, string> }[];
        },
      ];
    };

  test('[ID62] has the client, audience and roles that the settings default to, and no password', () => {
    const realm = realmFor(environmentOf(keycloak, SECRETS));
    const config = readConfig(environmentOf(app, SECRETS));
    const [client, ...others] = realm.clients;
    expect(others).toEqual([]);
    expect(client).toMatchObject({
      clientId: config.oidcClientId,
      secret: config.oidcClientSecret,
      publicClient: false,
      directAccessGrantsEnabled: false,
      redirectUris: [config.publicUrl + CALLBACK_PATH],
    });
    expect(client.attributes).toMatchObject({
      'pkce.code.challenge.method': 'S256',
      'post.logout.redirect.uris': `${config.publicUrl}/login`,
      'backchannel.logout.url': `http://127.0.0.1:${config.port}${BACKCHANNEL_LOGOUT_PATH}`,
      'backchannel.logout.session.required': 'true',
    });
    const audience = client.protocolMappers.find(({ protocolMapper }) => protocolMapper === 'oidc-audience-mapper');
    expect(audience?.config).toMatchObject({
      'included.client.audience': config.oidcAudience,
      'access.token.claim': 'true',
    });
    expect(config.oidcAllowedClients).toEqual([client.clientId]);
    expect(config.oidcIssuer?.endsWith(`/realms/${realm.realm}`)).toBe(true);
    expect(realm.roles.realm.map(({ name }) => name)).toEqual(['admin', 'user', 'guest']);
    expect(realm.users).toBeUndefined();
    // Listing any would leave out the built-in ones, and with `basic` the subject.
    expect(realm.clientScopes).toBeUndefined();
    expect(text).toContain('"secret": "${OIDC_CLIENT_SECRET}"');
  });

  test('[ID62] leaves open only what docker-compose.yml fills in', () => {
    const open = new Set([...text.matchAll(/\$\{(\w+)\}/g)].map(([, name]) => name));
    expect(Object.keys(environmentOf(keycloak, SECRETS))).toEqual(expect.arrayContaining([...open]));
    expect(JSON.stringify(realmFor(environmentOf(keycloak, SECRETS)))).not.toContain('missing');
  });
});

describe('docker-compose.yml', () => {
  test('[ID62] gives the app settings it knows, and ones that fit together', () => {
    for (const name of Object.keys(app.environment)) expect(SETTING_NAMES).toContain(name);
    for (const given of [SECRETS, PUBLIC]) {
      const config = readConfig(environmentOf(app, given));
      const provider = environmentOf(keycloak, given);
      expect(config.oidcIssuer).toBe(`${provider.KC_HOSTNAME}/realms/stepheybot`);
      expect(config.publicUrl).toBe(provider.PUBLIC_URL);
      expect(config.oidcClientSecret).toBe(provider.OIDC_CLIENT_SECRET);
    }
    expect(readConfig(environmentOf(app, PUBLIC))).toMatchObject({
      publicUrl: 'https://music.example.org',
      trustProxy: '1',
      oidcInsecure: false,
    });
    // Keycloak does not start with an empty one.
    expect(environmentOf(keycloak, SECRETS)).not.toHaveProperty('KC_PROXY_HEADERS');
    expect(environmentOf(keycloak, PUBLIC)).toMatchObject({ KC_PROXY_HEADERS: 'xforwarded' });
  });

  test.each(['OIDC_CLIENT_SECRET', 'KC_ADMIN_PASSWORD'])('[ID62] does not start without %s', (name) => {
    const given: Record<string, string> = { ...SECRETS, [name]: '' };
    expect(() => [environmentOf(keycloak, given), environmentOf(app, given)]).toThrow(name);
  });

  test('[ID62] imports the realm file, shares one network, and is open to this machine alone', () => {
    const [file] = keycloak.volumes.filter((volume) => volume.includes('/data/import/'));
    expect(file?.endsWith(':ro')).toBe(true);
    expect(existsSync(path.join(ROOT, file?.split(':')[0] ?? ''))).toBe(true);
    expect(keycloak.command).toContain('--import-realm');
    expect(app.network_mode).toBe('service:keycloak');
    expect(keycloak.ports?.map((port) => port.split(':')[0])).toEqual(['127.0.0.1', '127.0.0.1']);
    expect(keycloak.ports?.map((port) => port.split(':')[2])).toContain(app.environment.PORT);
    const named = [...keycloak.volumes, ...app.volumes].map((volume) => volume.split(':')[0] ?? '');
    expect(Object.keys(compose.volumes).filter((volume) => !named.includes(volume))).toEqual([]);
  });

  test('[ID62] the Keycloak it runs is the one the tests run', () => {
    const { image } = keycloak as Service & { image: string };
    const [, tested] = /KEYCLOAK_VERSION = '([\d.]+)'/.exec(read('scripts/services.ts')) ?? [];
    expect(image).toBe(`quay.io/keycloak/keycloak:${tested}`);
  });
});

describe('the Dockerfile', () => {
  const lines = read('Dockerfile')
    .replace(/\\\n/g, ' ')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));

  test('[ID62] installs, builds and starts as the README says, not as root, and can be asked how it is', () => {
    expect(lines).toContain('RUN npm ci');
    expect(lines).toContain('RUN npm run build');
    const { scripts } = JSON.parse(read('package.json')) as { scripts: { start: string } };
    const [program, ...words] = JSON.parse(lines.at(-1)?.replace(/^CMD /, '') ?? '[]') as string[];
    expect(`${path.basename(program ?? '')} ${words.join(' ')}`).toBe(scripts.start);
    const user = lines.indexOf('USER node');
    expect(user).toBeGreaterThan(0);
    expect(lines.filter((line) => line.startsWith('USER'))).toEqual(['USER node']);
    expect(lines.findIndex((line) => line.startsWith('RUN npm'))).toBeGreaterThan(user);
    expect(lines.some((line) => line.startsWith('HEALTHCHECK') && line.includes('/readyz'))).toBe(true);
    for (const [, name] of lines.find((line) => line.startsWith('ENV'))?.matchAll(/(\w+)=/g) ?? []) {
      expect(SETTING_NAMES).toContain(name);
    }
  });

  test('[ID62] leaves data, secrets and what is built out of the image', () => {
    const left = read('.dockerignore').split('\n');
    for (const name of ['.env', 'node_modules', 'data', 'music', 'client/build', '.git']) expect(left).toContain(name);
  });
});
