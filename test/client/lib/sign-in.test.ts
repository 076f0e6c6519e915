import { describe, expect, it } from 'vitest';
import { loginAddress, placeOf, reauthAddress, safeReturnTo, signInAddress } from '../../../client/src/lib/sign-in.ts';

const DEEP = '/search?q=a&b#c';

describe('the way in', () => {
  it('comes back to path, query and fragment', () => {
    const place = placeOf(new URL(`http://x.invalid${DEEP}`));
    expect(place).toBe(DEEP);
    const login = new URL(loginAddress(place), 'http://x.invalid');
    expect(login.pathname).toBe('/login');
    expect(safeReturnTo(login.searchParams.get('return_to'))).toBe(DEEP);
    for (const address of [signInAddress(place), reauthAddress(place)]) {
      expect(new URL(address, 'http://x.invalid').searchParams.get('return_to')).toBe(DEEP);
    }
  });

  it('says nothing of the start page', () => {
    expect(loginAddress('/')).toBe('/login');
  });

  it.each([
    null,
    '',
    'https://evil.invalid/',
    '//evil.invalid',
    '/\\evil.invalid',
    'javascript:alert(1)',
    '/login',
    '/login?return_to=/login',
    '/login#x',
    '/login/x',
  ])('does not follow %s', (value) => {
    expect(safeReturnTo(value)).toBe('/');
  });

  it('follows a page whose name only begins like the sign-in', () => {
    expect(safeReturnTo('/login-help')).toBe('/login-help');
  });
});
