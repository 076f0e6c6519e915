import { describe, expect, it } from 'vitest';
import { AUDIT_ACTIONS } from '#contract/admin.ts';
import { auditSentence } from '../../../client/src/features/admin/audit-sentence.ts';
import { adminDe } from '../../../client/src/lib/messages/admin.de.ts';
import { adminEn } from '../../../client/src/lib/messages/admin.en.ts';
import type { AuditEvent } from '#contract/admin.ts';

const person = (name: string) => ({ id: name.padEnd(22, '_'), username: name, display_name: name, avatar_url: null });
const event = (more: Partial<AuditEvent>): AuditEvent => ({
  id: 'e'.padEnd(22, '_'),
  at: 1,
  action: 'user.created',
  actor: person('Ana'),
  target: person('Ben'),
  details: {},
  ...more,
});

describe('the audit log in words', () => {
  it.each(AUDIT_ACTIONS)('tells %s in both languages, also when nobody and nothing more is known', (action) => {
    for (const words of [adminEn, adminDe]) {
      expect(Object.keys(words.audit.name)).toEqual([...AUDIT_ACTIONS]);
      for (const one of [event({ action }), event({ action, actor: null, target: null })]) {
        const sentence = auditSentence(one, words);
        expect(sentence).not.toMatch(/undefined|null|\[object/);
        expect(sentence.length).toBeGreaterThan(10);
      }
    }
  });

  it.each<[Partial<AuditEvent>, string, string]>([
    [
      { action: 'user.role_changed', details: { from: 'user', to: 'admin' } },
      'Ana gave Ben the role Administrator',
      'Ana gab Ben die Rolle Verwaltung',
    ],
    [
      { action: 'user.disabled', actor: null },
      'The operator or a former member locked Ben out',
      'Der Betreiber oder ein früheres Mitglied hat Ben gesperrt',
    ],
    [
      { action: 'api_token.created', target: person('Ana'), details: { scopes: 'listen:write read' } },
      'Ana got a new API token (report listens, read)',
      'Ana hat ein neues API-Token (Hören melden, lesen)',
    ],
    [
      { action: 'recovery_code.used', actor: null, details: { left: 3 } },
      'Ben signed in with a recovery code (3 left)',
      'Ben hat sich mit einem Ersatzcode angemeldet (noch 3)',
    ],
    [
      { action: 'sessions.ended', target: person('Ana'), details: { count: 1 } },
      'Ana signed out everywhere (1 device)',
      'Ana hat sich überall abgemeldet (1 Gerät)',
    ],
    [
      { action: 'invite.created', target: null, details: { role: 'guest' } },
      'Ana made an invitation (Guest)',
      'Ana hat eine Einladung gemacht (Gast)',
    ],
    // A role of tomorrow is shown as it is called.
    [{ action: 'user.created', details: { role: 'toString' } }, 'Ben joined (toString)', 'Ben kam dazu (toString)'],
  ])('%o', (more, english, german) => {
    expect(auditSentence(event(more), adminEn)).toBe(english);
    expect(auditSentence(event(more), adminDe)).toBe(german);
  });
});
