import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { DomainError } from '#domain/errors.ts';
import { addressKey } from '#server/limits/address.ts';
import { createKnownBrowsers } from '#server/identity/known-browsers.ts';
import { createLinkLimit, createLoginBackoff } from '#server/identity/login-backoff.ts';
import type { LoginBackoff } from '#server/identity/login-backoff.ts';
import type { IncomingMessage } from 'node:http';

type Who = Parameters<LoginBackoff['begin']>[0];
const at = (from: string, more: Partial<Who> = {}): Who => ({
  username: 'ana',
  from,
  isKnown: false,
  what: 'password',
  ...more,
});

/** Seconds to wait; 0 for a guess that was let through, and was wrong. */
async function fail(backoff: LoginBackoff, who: Who): Promise<number> {
  try {
    await backoff.begin(who);
    return 0;
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    expect(error.code).toBe('too_many');
    return error.retryAfter ?? NaN;
  }
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('guessing at one account', () => {
  test('[ID4] the wait doubles with each failure, up to a quarter of an hour, and ends with a success', async () => {
    const backoff = createLoginBackoff();
    for (let i = 0; i < 5; i++) expect(await fail(backoff, at('192.0.2.1'))).toBe(0);
    const waits: number[] = [];
    for (let i = 0; i < 4; i++) {
      const wait = await fail(backoff, at('192.0.2.1'));
      waits.push(wait);
      await vi.advanceTimersByTimeAsync(wait * 1000);
      expect(await fail(backoff, at('192.0.2.1'))).toBe(0);
    }
    expect(waits).toEqual([5, 10, 20, 40]);
    expect(await fail(backoff, at('192.0.2.2'))).toBe(0);
    expect(await fail(backoff, at('192.0.2.1', { username: 'ben' }))).toBe(0);
    await vi.advanceTimersByTimeAsync(80_000);
    await (await backoff.begin(at('192.0.2.1'))).succeeded();
    for (let i = 0; i < 5; i++) expect(await fail(backoff, at('192.0.2.1'))).toBe(0);
    expect(await fail(backoff, at('192.0.2.1'))).toBe(5);
  });

  test('[ID4] many guesses at once are no more than many in turn', async () => {
    const backoff = createLoginBackoff();
    const waits = await Promise.all(Array.from({ length: 60 }, () => fail(backoff, at('192.0.2.1'))));
    expect(waits.filter((wait) => wait === 0)).toHaveLength(5);
  });

  test('[ID4] a guess that was not wrong leaves no trace, also when it was the fifth', async () => {
    const backoff = createLoginBackoff();
    for (let i = 0; i < 4; i++) await fail(backoff, at('192.0.2.1'));
    for (let i = 0; i < 10; i++) await (await backoff.begin(at('192.0.2.1'))).undo();
    expect(await fail(backoff, at('192.0.2.1'))).toBe(0);
    expect(await fail(backoff, at('192.0.2.1'))).toBe(5);
  });

  test('[ID71] after fifty failures from anywhere a stranger waits first, each failure counts at once, and the wait ends', async () => {
    const backoff = createLoginBackoff();
    for (let i = 0; i < 50; i++) expect(await fail(backoff, at(`198.51.100.${i}`))).toBe(0);
    expect(await fail(backoff, at('192.0.2.1', { username: 'ben' }))).toBe(0);
    expect(await fail(backoff, at('192.0.2.1'))).toBe(10);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(await fail(backoff, at('192.0.2.1'))).toBe(0);
    expect(await fail(backoff, at('192.0.2.1'))).toBe(5);
    await vi.advanceTimersByTimeAsync(5_000);
    // The person gets in, and is not held up for what others did.
    await (await backoff.begin(at('192.0.2.1'))).succeeded();
    await (await backoff.begin(at('192.0.2.1'))).succeeded();
    await vi.advanceTimersByTimeAsync(15 * 60_000);
    expect(await fail(backoff, at('192.0.2.200'))).toBe(0);
  });

  test('[ID71] a browser the person has signed in from is not held up by what others do, at its own address neither', async () => {
    const backoff = createLoginBackoff();
    for (let i = 0; i < 80; i++) await fail(backoff, at(`198.51.100.${i}`));
    for (let i = 0; i < 8; i++) await fail(backoff, at('192.0.2.1'));
    const known = at('browser:abc', { isKnown: true });
    for (let i = 0; i < 5; i++) expect(await fail(backoff, known)).toBe(0);
    expect(await fail(backoff, known)).toBe(5);
  });

  test('[ID71] codes of strangers are ten an hour for one account, from however many addresses; a known browser goes on', async () => {
    const backoff = createLoginBackoff();
    const waits = await Promise.all(
      Array.from({ length: 30 }, (_, i) => fail(backoff, at(`198.51.100.${i}`, { what: 'code' }))),
    );
    expect(waits.filter((wait) => wait === 0)).toHaveLength(10);
    expect(Math.max(...waits)).toBe(3600);
    expect(await fail(backoff, at('192.0.2.9', { what: 'password' }))).toBe(0);
    expect(await fail(backoff, at('browser:abc', { isKnown: true, what: 'code' }))).toBe(0);
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(await fail(backoff, at('192.0.2.9', { what: 'code' }))).toBe(0);
  });

  test('[ID71] whoever keeps the log hears of a name once in a quarter of an hour', async () => {
    const heard: string[] = [];
    const backoff = createLoginBackoff((username) => heard.push(username));
    for (const from of ['192.0.2.1', '192.0.2.2']) for (let i = 0; i < 7; i++) await fail(backoff, at(from));
    await fail(backoff, at('192.0.2.1', { username: 'ben' }));
    expect(heard).toEqual(['ana']);
    await vi.advanceTimersByTimeAsync(16 * 60_000);
    for (let i = 0; i < 5; i++) await fail(backoff, at('192.0.2.1'));
    expect(heard).toEqual(['ana', 'ana']);
  });

  test.each([
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['2001:db8:1:2ff::1', '2001:db8:1:02'],
    ['2001:db8:1:200:ffff::', '2001:db8:1:02'],
    ['2001:db8::1', '2001:db8:0:00'],
    ['::1', '0:0:0:00'],
  ])('[ID4] %s counts as %s', (address, key) => expect(addressKey(address)).toBe(key));
});

test('[ID77] one address may try forty links in a quarter of an hour, and looks are only counted when they miss', async () => {
  const limit = createLinkLimit();
  for (let i = 0; i < 100; i++) await limit.check('192.0.2.1');
  for (let i = 0; i < 39; i++) await limit.take('192.0.2.1');
  await limit.missed('192.0.2.1');
  await expect(limit.check('192.0.2.1')).rejects.toMatchObject({ code: 'too_many', retryAfter: 900 });
  await expect(limit.take('192.0.2.1')).rejects.toMatchObject({ code: 'too_many' });
  await limit.take('192.0.2.2');
  await vi.advanceTimersByTimeAsync(900_000);
  await limit.take('192.0.2.1');
});

describe('the mark of a browser somebody has signed in from', () => {
  const clock = { nowMs: () => Date.now() };
  const browsers = createKnownBrowsers('http://127.0.0.1:3000', ['a'.repeat(43)], clock);
  const asked = (cookie: string) => ({ headers: { cookie } }) as IncomingMessage;
  const pairOf = (line: string) => line.split(';')[0] ?? '';

  test('[ID71] it is known for its person alone, in any spelling of the name, and says nothing about them', () => {
    const line = browsers.mark(asked(''), 'Ana');
    expect(line).toMatch(/^sbm_known=[\w.~-]+; Max-Age=15552000; Path=\/; HttpOnly; SameSite=Lax$/);
    expect(line.toLowerCase()).not.toContain('ana');
    expect(browsers.find(asked(pairOf(line)), 'ANA')).toMatch(/^[\w-]{16}$/);
    expect(browsers.find(asked(pairOf(line)), 'ben')).toBeNull();
    expect(browsers.find(asked(''), 'ana')).toBeNull();
  });

  test('[ID71] a forged, altered or old one is none; keys may be rotated', () => {
    const pair = pairOf(browsers.mark(asked(''), 'ana'));
    const stranger = createKnownBrowsers('http://127.0.0.1:3000', ['b'.repeat(43)], clock);
    expect(stranger.find(asked(pair), 'ana')).toBeNull();
    const rotated = createKnownBrowsers('http://127.0.0.1:3000', ['b'.repeat(43), 'a'.repeat(43)], clock);
    expect(rotated.find(asked(pair), 'ana')).not.toBeNull();
    const [nonce, time, sealed] = pair.slice('sbm_known='.length).split('.');
    for (const forged of [
      `${nonce}.${Number(time) + 1}.${sealed}`,
      `${nonce}.${time}.${'A'.repeat(43)}`,
      `${'A'.repeat(16)}.${time}.${sealed}`,
      `${nonce}.${time}`,
      '~~~',
      'x'.repeat(5000),
    ]) {
      expect(browsers.find(asked(`sbm_known=${forged}`), 'ana')).toBeNull();
    }
    vi.setSystemTime(Date.now() + 181 * 24 * 3600_000);
    expect(browsers.find(asked(pair), 'ana')).toBeNull();
  });

  test('[ID71] a household shares a browser: four people, and a new sign-in takes the place of the same one', () => {
    let cookie = '';
    for (const name of ['a1', 'b1', 'c1', 'c1', 'd1', 'e1']) cookie = pairOf(browsers.mark(asked(cookie), name));
    const known = ['a1', 'b1', 'c1', 'd1', 'e1'].filter((name) => browsers.find(asked(cookie), name) !== null);
    expect(known).toEqual(['b1', 'c1', 'd1', 'e1']);
    expect(cookie.split('~')).toHaveLength(4);
  });

  test('[ID71] on https it belongs to this host alone', () => {
    const line = createKnownBrowsers('https://music.example.org', ['a'.repeat(43)], clock).mark(asked(''), 'ana');
    expect(line).toMatch(/^__Host-sbm_known=.+; Path=\/; HttpOnly; Secure; SameSite=Lax$/);
  });
});
