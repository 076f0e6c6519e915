import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { reasonText, stretchesOf } from '../../../client/src/features/history/explanation.ts';
import { forgotten } from '../../../client/src/features/history/forgotten.ts';
import { byDay } from '../../../client/src/features/history/history-days.ts';
import {
  NO_FILTER,
  filterOf,
  historyAddress,
  isFiltered,
  queryOf,
} from '../../../client/src/features/history/history-filter.ts';
import { listeningDe } from '../../../client/src/lib/messages/listening.de.ts';
import { listeningEn } from '../../../client/src/lib/messages/listening.en.ts';
import { toaster } from '../../../client/src/ui/toaster.svelte.ts';
import { fakeServer, refusal } from '../support/fake-server.ts';
import type { FakeServer } from '../support/fake-server.ts';

describe('the filter of the history', () => {
  it('comes back from its address whole', () => {
    const filter = {
      ...NO_FILTER,
      q: 'blue & green',
      include: 'skips',
      from: '2026-01-01',
      to: '2026-01-31',
      source: 'lastfm',
      not_in_library: true,
      track_id: 't1',
    } as const;
    expect(filterOf(new URL(historyAddress(filter), 'http://x.invalid').searchParams)).toEqual(filter);
  });

  it('leaves out what makes no sense, and says nothing of what is plain', () => {
    const odd = 'include=everything&from=2026-02-31&to=yesterday&source=radio&library=maybe';
    expect(filterOf(new URLSearchParams(odd))).toEqual(NO_FILTER);
    expect(historyAddress(NO_FILTER)).toBe('/history');
    expect(isFiltered(NO_FILTER)).toBe(false);
    expect(isFiltered({ ...NO_FILTER, not_in_library: true })).toBe(true);
  });

  it("asks for days of the listener's calendar, the last one to its end", () => {
    const query = queryOf({ ...NO_FILTER, from: '2026-03-29', to: '2026-03-29' }, 'Europe/Berlin');
    expect(query).toMatchObject({ from: Date.UTC(2026, 2, 28, 23) / 1000, to: Date.UTC(2026, 2, 29, 22) / 1000 });
    expect(query.in_library).toBe('');
    expect(queryOf({ ...NO_FILTER, not_in_library: true }, 'UTC').in_library).toBe(false);
  });
});

describe('plays by day', () => {
  const play = (iso: string, duration_played = 60) => ({ started_at: Date.parse(iso) / 1000, duration_played });
  const plays = [play('2026-11-25T23:30:00Z'), play('2026-11-25T22:59:00Z'), play('2026-11-24T12:00:00Z', 30)];

  it("go by the listener's clock, with what was heard each day", () => {
    expect(byDay(plays, 'Europe/Berlin', false).map(({ date, seconds }) => [date, seconds])).toEqual([
      ['2026-11-26', 60],
      ['2026-11-25', 60],
      ['2026-11-24', 30],
    ]);
    expect(byDay(plays, 'UTC', false)).toHaveLength(2);
    expect(byDay([], 'UTC', true)).toEqual([]);
  });

  it('give no sum of a day that may go on over the page', () => {
    expect(byDay(plays, 'UTC', true).map(({ seconds }) => seconds)).toEqual([120, null]);
  });
});

describe('why a play counted', () => {
  it.each(['heard_enough', 'heard_too_little', 'too_short_a_track', 'length_unknown', 'as_reported'] as const)(
    'is told in both languages: %s',
    (reason) => {
      const heard = { reason, covered_ms: 61_000, needed_ms: reason.startsWith('heard') ? 120_000 : null };
      for (const words of [listeningEn.why, listeningDe.why]) {
        const text = reasonText(words, heard);
        if (reason.startsWith('heard')) {
          expect(text).toContain('1:01');
          expect(text).toContain('2:00');
        } else expect(text.length).toBeGreaterThan(20);
      }
    },
  );

  it('is drawn over the whole track', () => {
    const spans = [
      { from_ms: 0, to_ms: 50_000 },
      { from_ms: 150_000, to_ms: 200_000 },
    ];
    const drawing = stretchesOf(spans, 200);
    expect(drawing.stretches).toEqual([
      { from: 0, to: 0.25 },
      { from: 0.75, to: 1 },
    ]);
    expect(drawing.share).toBe(0.5);
  });

  it('is drawn as far as it was heard where the length is not known, and not at all of nothing', () => {
    expect(stretchesOf([{ from_ms: 0, to_ms: 40_000 }], null)).toMatchObject({ share: 1, lengthMs: 40_000 });
    expect(stretchesOf([], null)).toEqual({ stretches: [], share: 0, lengthMs: 0 });
    // Heard beyond the length the library knows: the bar is as long as what was heard.
    expect(stretchesOf([{ from_ms: 0, to_ms: 250_000 }], 200).share).toBe(1);
  });
});

describe('a play deleted from the history', () => {
  let server: FakeServer;
  const listeners: Record<string, () => void> = {};
  let id = 0;
  const listen = () => ({ id: `listen-${++id}`, text: { title: 'Blue' } });
  const deletions = () => server.calls.filter(({ method }) => method === 'DELETE').map(({ path }) => path);

  beforeEach(() => {
    vi.useFakeTimers();
    server = fakeServer();
    vi.stubGlobal('addEventListener', (name: string, handler: () => void) => (listeners[name] = handler));
  });
  afterEach(() => {
    for (const toast of toaster.toasts) toaster.dismiss(toast.id);
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  it('is out of sight at once, and deleted once its message has gone', async () => {
    const one = listen();
    server.on('DELETE', `/listen/history/${one.id}`, () => ({ status: 204 }));
    forgotten.forget(one);
    expect(forgotten.has(one.id)).toBe(true);
    await vi.advanceTimersByTimeAsync(9_000);
    expect(deletions()).toEqual([]);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(deletions()).toEqual([`/listen/history/${one.id}`]);
    expect(forgotten.has(one.id)).toBe(true);
  });

  it('comes back by Undo, and the server never hears of it', async () => {
    const one = listen();
    forgotten.forget(one);
    toaster.act(toaster.toasts.at(-1)!);
    expect(forgotten.has(one.id)).toBe(false);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(deletions()).toEqual([]);
  });

  it('comes back with the reason when the server refuses, and can be deleted again', async () => {
    const one = listen();
    server.on('DELETE', `/listen/history/${one.id}`, () => refusal(503, 'unavailable'));
    forgotten.forget(one);
    await vi.advanceTimersByTimeAsync(11_000);
    expect(forgotten.has(one.id)).toBe(false);
    expect(toaster.toasts.at(-1)).toMatchObject({ tone: 'error', action: 'Try again' });
    toaster.act(toaster.toasts.at(-1)!);
    expect(forgotten.has(one.id)).toBe(true);
    toaster.act(toaster.toasts.at(-1)!);
  });

  it('is taken as deleted when it was gone already', async () => {
    const one = listen();
    server.on('DELETE', `/listen/history/${one.id}`, () => refusal(404, 'not_found'));
    forgotten.forget(one);
    await vi.advanceTimersByTimeAsync(11_000);
    expect(forgotten.has(one.id)).toBe(true);
    expect(toaster.toasts).toEqual([]);
  });

  it('is sent past the page that is left, once', async () => {
    const one = listen();
    server.on('DELETE', `/listen/history/${one.id}`, () => ({ status: 204 }));
    forgotten.forget(one);
    // The listener of the first deletion stays for good.
    (listeners.pagehide ?? pagehide)();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(deletions()).toEqual([`/listen/history/${one.id}`]);
  });

  let pagehide: () => void = () => undefined;
  afterEach(() => {
    pagehide = listeners.pagehide ?? pagehide;
  });
});
