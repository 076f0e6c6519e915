import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SecondFactorState } from '../../../client/src/features/accounts/settings/second-factor.svelte.ts';
import { fakeServer, refusal } from '../support/fake-server.ts';
import type { FakeServer } from '../support/fake-server.ts';

const CODES = ['aaaa-bbbb', 'cccc-dddd'];
const status = (is_enabled: boolean) => ({
  body: { is_available: true, is_enabled, enabled_at: is_enabled ? 1 : null, recovery_codes_left: is_enabled ? 10 : 0 },
});

describe('the second factor', () => {
  let server: FakeServer;
  let factor: SecondFactorState;
  let isOn: boolean;

  beforeEach(async () => {
    isOn = false;
    server = fakeServer();
    server.on('GET', '/auth/second-factor', () => status(isOn));
    server.on('POST', '/auth/second-factor', () => ({ body: { secret: 'S', uri: 'otpauth://x', qr_svg: '<svg/>' } }));
    factor = new SecondFactorState();
    await factor.load();
  });
  afterEach(() => vi.unstubAllGlobals());

  it('goes from the password to the app to the codes, and is then on', async () => {
    expect(await factor.begin('pw')).toBeNull();
    expect(server.calls.at(-1)?.body).toEqual({ current_password: 'pw' });
    expect(factor.step).toMatchObject({ kind: 'enrol', enrolment: { secret: 'S' } });
    expect(factor.status?.is_enabled).toBe(false);

    server.on('POST', '/auth/second-factor/confirm', ({ body }) => {
      expect(body).toEqual({ code: '123456' });
      isOn = true;
      return { body: { recovery_codes: CODES } };
    });
    expect(await factor.confirm('123 456')).toBeNull();
    expect(factor.step).toEqual({ kind: 'codes', recovery_codes: CODES, isNew: true });
    expect(factor.status?.is_enabled).toBe(true);

    factor.rest();
    expect(JSON.stringify([factor.step, factor.status])).not.toContain(CODES[0]);
  });

  it('stays where it is when the password or the code is wrong', async () => {
    server.on('POST', '/auth/second-factor', () =>
      refusal(403, 'forbidden', 'no', [{ path: 'current_password', message: 'no' }]),
    );
    expect((await factor.begin('wrong'))?.field('current_password')).toBe('no');
    expect(factor.step.kind).toBe('rest');

    server.on('POST', '/auth/second-factor', () => ({ body: { secret: 'S', uri: 'u', qr_svg: '<svg/>' } }));
    server.on('POST', '/auth/second-factor/confirm', () =>
      refusal(400, 'invalid', 'no', [{ path: 'code', message: 'no' }]),
    );
    await factor.begin('pw');
    expect((await factor.confirm('000000'))?.field('code')).toBe('no');
    expect(factor.step.kind).toBe('enrol');
  });

  it('gives new codes, and is off once it was turned off', async () => {
    isOn = true;
    server.on('POST', '/auth/second-factor/recovery-codes', () => ({ body: { recovery_codes: CODES } }));
    expect(await factor.renew('pw')).toBeNull();
    expect(factor.step).toEqual({ kind: 'codes', recovery_codes: CODES, isNew: false });
    factor.rest();
    server.on('DELETE', '/auth/second-factor', ({ body }) => {
      expect(body).toEqual({ current_password: 'pw' });
      isOn = false;
      return { status: 204 };
    });
    expect(await factor.end('pw')).toBeNull();
    expect(factor.status?.is_enabled).toBe(false);
  });
});
