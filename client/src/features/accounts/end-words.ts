import { i18n } from '../../lib/i18n.svelte.ts';
import type { EndReason } from '../../lib/gateway.svelte.ts';

/** Why the server ended a session, in words; null where nothing ended (a restart, after which the line comes back). */
export function endWords(reason: EndReason): string | null {
  const m = i18n.m.connection;
  switch (reason) {
    case 'signed_out':
      return m.signedOut;
    case 'expired':
      return m.expired;
    case 'disabled':
      return m.disabled;
    case 'revoked':
      return m.revoked;
    case 'replaced':
      return m.replaced;
    case 'restart':
      return null;
  }
}
