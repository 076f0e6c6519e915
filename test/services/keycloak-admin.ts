/** Keycloak as its administrators drive it: by the admin REST API. */
import { randomBytes } from 'node:crypto';

export interface Keycloak {
  issuer: string;
  clientSecret: string;
  /** Where the realm expects the server to be. */
  appUrl: string;
  /** Calls the admin API below the realm. Throws what is not a success. */
  admin<T>(method: string, path: string, body?: unknown): Promise<T>;
  /** Changes the named settings of the realm. */
  setRealm(change: object): Promise<void>;
  /** Makes a person who can sign in; `roles` are realm roles. */
  createPerson(username: string, roles: readonly string[]): Promise<KeycloakPerson>;
  changePerson(id: string, change: object): Promise<void>;
  setRoles(id: string, roles: readonly string[]): Promise<void>;
  /** The internal id of a client. */
  clientId(name: string): Promise<string>;
  /** Changes the named settings of a client. */
  setClient(name: string, change: object): Promise<void>;
  /** Tokens of the password grant, for a client that has it. */
  passwordGrant(client: { id: string; secret: string }, person: KeycloakPerson, scope?: string): Promise<Tokens>;
}

export interface KeycloakPerson {
  id: string;
  username: string;
  password: string;
}

export interface Tokens {
  access_token: string;
  refresh_token: string;
  id_token?: string;
}

function setting(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set: run this by npm run test:services`);
  return value;
}

/** The Keycloak that `npm run test:services` started. */
export function openKeycloak(): Keycloak {
  const issuer = setting('TEST_OIDC_ISSUER');
  const { origin, pathname } = new URL(issuer);
  const realmName = pathname.split('/').at(-1) ?? '';

  async function post(url: string, form: Record<string, string>): Promise<Response> {
    return fetch(url, { method: 'POST', body: new URLSearchParams(form) });
  }

  async function adminToken(): Promise<string> {
    const answer = await post(`${origin}/realms/master/protocol/openid-connect/token`, {
      grant_type: 'password',
      client_id: 'admin-cli',
      username: 'admin',
      password: setting('TEST_KEYCLOAK_ADMIN_PASSWORD'),
    });
    return ((await answer.json()) as Tokens).access_token;
  }

  const keycloak: Keycloak = {
    issuer,
    clientSecret: setting('TEST_OIDC_CLIENT_SECRET'),
    appUrl: setting('TEST_APP_URL'),
    async admin<T>(method: string, path: string, body?: unknown): Promise<T> {
      const answer = await fetch(`${origin}/admin/realms/${realmName}${path}`, {
        method,
        headers: { authorization: `Bearer ${await adminToken()}`, 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await answer.text();
      if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
      return (text === '' ? undefined : JSON.parse(text)) as T;
    },
    async setRealm(change) {
      await keycloak.admin('PUT', '', { ...(await keycloak.admin<object>('GET', '')), ...change });
    },
    async createPerson(username, roles) {
      const password = randomBytes(12).toString('base64url');
      await keycloak.admin('POST', '/users', {
        username,
        enabled: true,
        email: `${username}@example.org`,
        emailVerified: true,
        firstName: username[0]!.toUpperCase() + username.slice(1),
        lastName: 'Test',
        credentials: [{ type: 'password', value: password, temporary: false }],
      });
      const [made] = await keycloak.admin<[{ id: string }]>('GET', `/users?exact=true&username=${username}`);
      await keycloak.setRoles(made.id, roles);
      return { id: made.id, username, password };
    },
    changePerson: (id, change) => keycloak.admin('PUT', `/users/${id}`, change),
    async setRoles(id, roles) {
      const ours = ['admin', 'user', 'guest'];
      const held = await keycloak.admin<{ id: string; name: string }[]>('GET', `/users/${id}/role-mappings/realm`);
      const gone = held.filter(({ name }) => ours.includes(name) && !roles.includes(name));
      if (gone.length > 0) await keycloak.admin('DELETE', `/users/${id}/role-mappings/realm`, gone);
      const given = await Promise.all(roles.map((name) => keycloak.admin<object>('GET', `/roles/${name}`)));
      if (given.length > 0) await keycloak.admin('POST', `/users/${id}/role-mappings/realm`, given);
    },
    async clientId(name) {
      const [found] = await keycloak.admin<[{ id: string }]>('GET', `/clients?clientId=${name}`);
      return found.id;
    },
    async setClient(name, change) {
      const id = await keycloak.clientId(name);
      await keycloak.admin('PUT', `/clients/${id}`, {
        ...(await keycloak.admin<object>('GET', `/clients/${id}`)),
        ...change,
      });
    },
    async passwordGrant(client, person, scope = 'openid') {
      const answer = await post(`${issuer}/protocol/openid-connect/token`, {
        grant_type: 'password',
        client_id: client.id,
        client_secret: client.secret,
        username: person.username,
        password: person.password,
        scope,
      });
      const text = await answer.text();
      if (!answer.ok) throw new Error(`the password grant was answered with ${answer.status} ${text}`);
      return JSON.parse(text) as Tokens;
    },
  };
  return keycloak;
}
