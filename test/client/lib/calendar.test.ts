import { describe, expect, it } from 'vitest';
import { addDays, dateIn, dayStart, dayTitle, daysBetween, isDate } from '../../../client/src/lib/calendar.ts';

const at = (iso: string) => Date.parse(iso);

describe('days by a calendar', () => {
  it.each([
    ['2026-11-25T23:30:00Z', 'UTC', '2026-11-25'],
    ['2026-11-25T23:30:00Z', 'Europe/Berlin', '2026-11-26'],
    ['2026-11-25T04:30:00Z', 'America/New_York', '2026-11-24'],
    ['2026-11-25T10:30:00Z', 'Pacific/Kiritimati', '2026-11-26'],
    ['2026-11-25T18:20:00Z', 'Asia/Kathmandu', '2026-11-26'],
  ])('%s in %s is %s', (moment, zone, date) => {
    expect(dateIn(at(moment), zone)).toBe(date);
  });

  it.each([
    ['2026-11-25', 'UTC', '2026-11-25T00:00:00Z'],
    ['2026-11-25', 'Europe/Berlin', '2026-11-24T23:00:00Z'],
    // The clocks go forward, and back, in the night of these days.
    ['2026-03-29', 'Europe/Berlin', '2026-03-28T23:00:00Z'],
    ['2026-03-30', 'Europe/Berlin', '2026-03-29T22:00:00Z'],
    ['2026-10-25', 'Europe/Berlin', '2026-10-24T22:00:00Z'],
    ['2026-10-26', 'Europe/Berlin', '2026-10-25T23:00:00Z'],
    ['2026-11-25', 'Pacific/Kiritimati', '2026-11-24T10:00:00Z'],
    // Here the clocks skip midnight itself: the day begins at one.
    ['2024-03-31', 'Africa/Cairo', '2024-03-30T22:00:00Z'],
    ['2024-04-26', 'Africa/Cairo', '2024-04-25T22:00:00Z'],
    ['2022-09-11', 'America/Santiago', '2022-09-11T04:00:00Z'],
  ])('%s begins in %s at %s', (date, zone, moment) => {
    expect(dayStart(date, zone)).toBe(at(moment) / 1000);
    expect(dateIn(dayStart(date, zone) * 1000, zone)).toBe(date);
    expect(dateIn(dayStart(date, zone) * 1000 - 1, zone)).toBe(addDays(date, -1));
  });

  it('count over months, leap days and years', () => {
    expect(addDays('2024-02-28', 1)).toBe('2024-02-29');
    expect(addDays('2026-01-01', -1)).toBe('2025-12-31');
    expect(daysBetween('2026-01-01', '2026-12-31')).toBe(365);
    expect(daysBetween('2026-05-05', '2026-05-05')).toBe(1);
  });

  it('take no day that is not there', () => {
    for (const text of ['2026-02-30', '2026-13-01', '26-01-01', '2026-1-1', 'today', '', null, undefined])
      expect(isDate(text), String(text)).toBe(false);
    expect(isDate('2024-02-29')).toBe(true);
  });

  it('are named as seen from today', () => {
    expect(dayTitle('2026-11-25', 'en', '2026-11-25')).toBe('Today');
    expect(dayTitle('2026-11-24', 'de', '2026-11-25')).toBe('Gestern');
    expect(dayTitle('2026-11-20', 'en', '2026-11-25')).toBe('Friday, November 20');
    expect(dayTitle('2025-11-20', 'en', '2026-11-25')).toBe('Thursday, November 20, 2025');
    // A day ahead of this device's own is no day in the past.
    expect(dayTitle('2026-11-26', 'en', '2026-11-25')).toBe('Thursday, November 26');
  });
});
