import { describe, expect, it } from 'vitest';
import { DEFAULT_PREFERENCES } from '#contract/accounts.ts';
import { DEFAULTS } from '../../../client/src/features/accounts/session.svelte.ts';

describe('preferences', () => {
  it('start in the client as the contract says', () => {
    expect(DEFAULTS).toEqual(DEFAULT_PREFERENCES);
  });
});
