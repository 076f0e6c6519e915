import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { privateSession } from '../../../client/src/features/listens/private-session.svelte.ts';
import { minutesUntilMorning } from '../../../client/src/features/listens/until-morning.ts';
import { toaster } from '../../../client/src/ui/toaster.svelte.ts';
import { fakeServer, refusal } from '../support/fake-server.ts';
import type { FakeServer } from '../support/fake-server.ts';

const START_MS = Date.UTC(2026, 10, 25, 12);
const MINUTE_MS = 60_000;

describe('a private session', () => {
  let server: FakeServer;
  /** As the server answers: one that begins now and lasts as many minutes as were asked for. */
  const grant = () =>
    server.on('POST', '/user/private-session', ({ body }) => ({
      body: { active: true, ends_at: Math.floor(Date.now() / 1000) + (body as { minutes: number }).minutes * 60 },
    }));

  beforeEach(() => {
    vi.useFakeTimers({ now: START_MS });
    server = fakeServer();
    server.on('DELETE', '/user/private-session', () => ({ status: 204 }));
    grant();
  });
  afterEach(async () => {
    if (privateSession.isOn) await privateSession.end();
    for (const toast of toaster.toasts) toaster.dismiss(toast.id);
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  it('is shown with what is left of it, and is over by itself', async () => {
    await privateSession.begin(60);
    expect(privateSession.isOn).toBe(true);
    expect(privateSession.left).toBe('1 hr');
    await vi.advanceTimersByTimeAsync(2 * MINUTE_MS);
    expect(privateSession.left).toBe('58 min');
    await vi.advanceTimersByTimeAsync(58 * MINUTE_MS);
    expect(privateSession.isOn).toBe(false);
    expect(toaster.toasts.map(({ text }) => text)).toContain('The private session is over');
  });

  it('warns once, ten minutes before its end, and can be made longer from there', async () => {
    await privateSession.begin(60);
    await vi.advanceTimersByTimeAsync(49 * MINUTE_MS);
    expect(toaster.toasts).toEqual([]);
    await vi.advanceTimersByTimeAsync(MINUTE_MS);
    expect(toaster.toasts.map(({ text }) => text)).toEqual(['Your private session ends in 10 min']);
    toaster.act(toaster.toasts[0]!);
    await vi.advanceTimersByTimeAsync(0);
    expect(server.calls.at(-1)).toMatchObject({ method: 'POST', body: { minutes: 70 } });
    expect(privateSession.left).toBe('1 hr 10 min');
    expect(toaster.toasts).toEqual([]);
  });

  it('does not warn again once the warning was closed', async () => {
    await privateSession.begin(15);
    await vi.advanceTimersByTimeAsync(5.5 * MINUTE_MS);
    toaster.dismiss(toaster.toasts[0]!.id);
    await vi.advanceTimersByTimeAsync(3 * MINUTE_MS);
    expect(toaster.toasts).toEqual([]);
  });

  it('stays as it was when the server refuses, and says so', async () => {
    server.on('POST', '/user/private-session', () => refusal(503, 'unavailable'));
    await privateSession.begin(60);
    expect(privateSession.isOn).toBe(false);
    expect(toaster.toasts[0]).toMatchObject({ tone: 'error' });

    grant();
    await privateSession.begin(60);
    server.on('DELETE', '/user/private-session', () => refusal(503, 'unavailable'));
    await privateSession.end();
    expect(privateSession.isOn).toBe(true);
    server.on('DELETE', '/user/private-session', () => ({ status: 204 }));
  });

  it('until tomorrow morning ends at six of the next day, also just before midnight', () => {
    expect(minutesUntilMorning(new Date(2026, 10, 25, 23, 50))).toBe(6 * 60 + 10);
    expect(minutesUntilMorning(new Date(2026, 10, 25, 0, 0))).toBe(30 * 60);
  });
});
