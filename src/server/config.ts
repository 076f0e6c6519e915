import { existsSync } from 'node:fs';
import { isIP } from 'node:net';
import path from 'node:path';
import { z } from 'zod';

/** A setting that cannot be used; the message is the one line the operator reads. */
export class ConfigError extends Error {}

const LOOPBACK = new Set(['127.0.0.1', 'localhost', '[::1]', '::1']);
export function isLoopbackHost(host: string): boolean {
  return LOOPBACK.has(host) || /^127\.\d+\.\d+\.\d+$/.test(host);
}

const Url = z
  .string()
  .refine((value) => URL.canParse(value) && /^https?:$/.test(new URL(value).protocol), 'must be a http(s) address');
const Switch = z.enum(['0', '1', 'true', 'false']).transform((value) => value === '1' || value === 'true');

/** Secrets that a settings value may hold stay out of the line about it. */
const MAY_HOLD_SECRETS = new Set(['DATABASE_URL', 'REDIS_URL', 'OIDC_CLIENT_SECRET', 'SECRET_KEYS']);

/** As Express's `trust proxy`: hops, a switch, or a comma list of addresses, networks and its three names. */
function isTrustProxy(value: string): boolean {
  if (/^(\d{1,2}|true|false)$/.test(value)) return true;
  return value.split(',').every((part) => {
    const [address = '', prefix = '0', more] = part.trim().split('/');
    if (['loopback', 'linklocal', 'uniquelocal'].includes(address)) return part.trim() === address;
    const version = isIP(address);
    return (
      version !== 0 && more === undefined && /^\d{1,3}$/.test(prefix) && Number(prefix) <= (version === 4 ? 32 : 128)
    );
  });
}

const Env = z.object({
  HOST: z.string().min(1).default('127.0.0.1'),
  PORT: z
    .string()
    .regex(/^\d{1,5}$/, 'must be a port number, 0 to 65535')
    .transform(Number)
    .refine((port) => port <= 65_535, 'must be a port number, 0 to 65535')
    .default(3000),
  PUBLIC_URL: Url.refine(
    (value) => URL.parse(value)?.pathname === '/',
    'must be a http(s) address without a path',
  ).optional(),
  DATA_DIR: z.string().min(1).default('./data'),
  MUSIC_DIR: z.string().min(1).default('./music'),
  DATABASE_URL: z
    .string()
    .regex(/^postgres(ql)?:\/\//, 'must begin with postgres://')
    .optional(),
  REDIS_URL: z
    .string()
    .refine(
      (value) => /^rediss?:\/\//.test(value) && (URL.parse(value)?.host ?? '') !== '',
      'must be a redis:// address',
    )
    .optional(),
  OIDC_ISSUER: Url.optional(),
  OIDC_CLIENT_ID: z.string().min(1).default('stepheybot-music'),
  OIDC_CLIENT_SECRET: z.string().min(1).optional(),
  OIDC_AUDIENCE: z.string().min(1).default('stepheybot-music'),
  OIDC_ALLOWED_CLIENTS: z.string().min(1).optional(),
  OIDC_INSECURE: Switch.default(false),
  SECRET_KEYS: z.string().min(1).optional(),
  TRUST_PROXY: z
    .string()
    .refine(isTrustProxy, 'must be a number of proxies, true, false, or their addresses')
    .optional(),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
});

/** Every setting there is. */
export const SETTING_NAMES: readonly string[] = Object.keys(Env.shape);

export interface Config {
  host: string;
  port: number;
  /** Null: the loopback address with the port in use. */
  publicUrl: string | null;
  dataDir: string;
  musicDirs: string[];
  databaseUrl: string | null;
  /** Null: one process, which counts for itself. */
  redisUrl: string | null;
  oidcIssuer: string | null;
  oidcClientId: string;
  oidcClientSecret: string | null;
  oidcAudience: string;
  oidcAllowedClients: string[];
  oidcInsecure: boolean;
  /** `id:base64,…`; null: a file in the data folder. */
  secretKeys: string | null;
  trustProxy: string | null;
  logLevel: string;
}

/**
 * Reads the settings; the only reader of the environment. An empty value counts as not set.
 * @throws ConfigError naming the variable
 */
export function readConfig(env: Record<string, string | undefined>): Config {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''));
  const parsed = Env.safeParse(given);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const name = String(issue?.path[0] ?? '');
    const shown = MAY_HOLD_SECRETS.has(name) ? '' : ` is "${given[name] ?? ''}"`;
    throw new ConfigError(`${name}${shown}: ${issue?.message ?? 'not valid'}`);
  }
  const set = parsed.data;
  if (set.OIDC_ISSUER !== undefined) {
    const issuer = new URL(set.OIDC_ISSUER);
    if (issuer.protocol === 'http:' && !isLoopbackHost(issuer.hostname) && !set.OIDC_INSECURE) {
      throw new ConfigError('OIDC_ISSUER uses plain http: use https, or set OIDC_INSECURE=1 if the network is yours');
    }
    if (set.OIDC_CLIENT_SECRET === undefined) {
      throw new ConfigError('OIDC_CLIENT_SECRET is not set: an outside OIDC_ISSUER needs the secret of its client');
    }
  }
  return {
    host: set.HOST,
    port: set.PORT,
    publicUrl: set.PUBLIC_URL === undefined ? null : new URL(set.PUBLIC_URL).origin,
    dataDir: path.resolve(set.DATA_DIR),
    musicDirs: splitPaths(set.MUSIC_DIR).map((dir) => path.resolve(dir)),
    databaseUrl: set.DATABASE_URL ?? null,
    redisUrl: set.REDIS_URL ?? null,
    oidcIssuer: set.OIDC_ISSUER ?? null,
    oidcClientId: set.OIDC_CLIENT_ID,
    oidcClientSecret: set.OIDC_CLIENT_SECRET ?? null,
    oidcAudience: set.OIDC_AUDIENCE,
    oidcAllowedClients: (set.OIDC_ALLOWED_CLIENTS ?? set.OIDC_CLIENT_ID).split(',').map((id) => id.trim()),
    oidcInsecure: set.OIDC_INSECURE,
    secretKeys: set.SECRET_KEYS ?? null,
    trustProxy: set.TRUST_PROXY ?? null,
    logLevel: set.LOG_LEVEL,
  };
}

/** Folders are separated by `:`; one that holds a colon itself is taken whole when it exists. */
function splitPaths(value: string): string[] {
  if (existsSync(value)) return [value];
  return value.split(':').filter((dir) => dir !== '');
}

/** The origins a browser of ours may come from: the public one, and for a loopback address its other two names. */
export function ownOrigins(publicUrl: string): string[] {
  const url = new URL(publicUrl);
  if (!isLoopbackHost(url.hostname)) return [url.origin];
  const port = url.port === '' ? '' : `:${url.port}`;
  return [
    ...new Set([url.origin, ...['127.0.0.1', 'localhost', '[::1]'].map((host) => `${url.protocol}//${host}${port}`)]),
  ];
}
