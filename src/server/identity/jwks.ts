import { createLocalJWKSet, errors } from 'jose';
import { z } from 'zod';
import type { Clock, Log } from '#domain/ports.ts';
import type { JSONWebKeySet, JWTVerifyGetKey } from 'jose';

/** At most one fetch in this time, whether it succeeds or fails: a flood of unknown key ids cannot beat on the provider. */
const BRAKE_MS = 10_000;
/** Keys older than this are fetched again, so that a withdrawn key stops working within it. */
const FRESH_MS = 9 * 60_000;
/** While the provider is down its last keys serve this long. */
const STALE_MS = 24 * 3600_000;

const Jwks = z.looseObject({ keys: z.array(z.looseObject({ kty: z.string() })).max(100) });

/** Finds the key of a token, and says when the keys have become others. */
export type KeyKeeper = JWTVerifyGetKey & {
  /** Rises whenever the keys have changed. */
  readonly revision: number;
  /** Fetches keys that have grown old. */
  freshen(): Promise<void>;
};

/** The provider's keys cannot be had: whether a token is good cannot be told now. */
export class KeysUnavailableError extends Error {}

/**
 * The signing keys of an outside provider, fetched when a token names one we do not have, or ours are old.
 * A key id that was missing from keys fetched within the last ten seconds is refused without asking again.
 */
export function createKeyKeeper(options: { fetchKeys: () => Promise<unknown>; clock: Clock; log: Log }): KeyKeeper {
  const { fetchKeys, clock, log } = options;
  let select: ReturnType<typeof createLocalJWKSet> | null = null;
  let fetchedAtMs = 0;
  let triedAtMs = Number.NEGATIVE_INFINITY;
  let underWay: Promise<void> | null = null;
  let known = '';
  let revision = 0;
  let hasFailed = false;

  async function fetchOnce(): Promise<void> {
    try {
      const jwks = Jwks.parse(await fetchKeys());
      select = createLocalJWKSet(jwks as unknown as JSONWebKeySet);
      fetchedAtMs = clock.nowMs();
      if (JSON.stringify(jwks) !== known) revision += 1;
      known = JSON.stringify(jwks);
      hasFailed = false;
    } catch (error) {
      hasFailed = true;
      log.warn('the keys of the sign-in service could not be fetched', { reason: String(error) });
    }
  }

  async function refresh(): Promise<void> {
    if (underWay !== null) return underWay;
    if (clock.nowMs() - triedAtMs < BRAKE_MS) return;
    triedAtMs = clock.nowMs();
    underWay = fetchOnce().finally(() => (underWay = null));
    return underWay;
  }

  /** Fetches keys that are old. While the provider is down nobody waits for it again: its last keys serve. */
  async function freshen(): Promise<void> {
    const ageMs = clock.nowMs() - fetchedAtMs;
    if (select !== null && ageMs <= FRESH_MS) return;
    const fetched = refresh();
    if (select === null || ageMs > STALE_MS || !hasFailed) await fetched;
  }

  const getKey: JWTVerifyGetKey = async (header, token) => {
    await freshen();
    if (select === null || clock.nowMs() - fetchedAtMs > STALE_MS) throw new KeysUnavailableError('no keys');
    try {
      return await select(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      await refresh();
      return select(header, token);
    }
  };
  return Object.defineProperty(Object.assign(getKey, { freshen, revision }), 'revision', { get: () => revision });
}
