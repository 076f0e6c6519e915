import type { AuditEvent } from '#contract/admin.ts';
import type { adminEn } from '../../lib/messages/admin.en.ts';

type Words = typeof adminEn;

/** An act as a sentence. People who are gone, and details that are not there, are told as that. */
export function auditSentence(event: AuditEvent, words: Words): string {
  const { audit } = words;
  const who = event.actor?.display_name ?? audit.unknown;
  const whom = (event.target ?? event.actor)?.display_name ?? audit.former;
  const say: (who: string, whom: string, what: string) => string = audit.sentence[event.action];
  return say(who, whom, whatOf(event, words));
}

/** What an act's details add: a role, scopes, a number. */
function whatOf({ action, details }: AuditEvent, { audit, role }: Words): string {
  switch (action) {
    case 'user.created':
    case 'invite.created':
    case 'invite.revoked':
    case 'invite.accepted':
      return nameOf(details['role'], role);
    case 'user.role_changed':
      return nameOf(details['to'], role);
    case 'recovery_code.used':
      return counted(details['left'], audit.left);
    case 'sessions.ended':
      return counted(details['count'], audit.devices);
    case 'api_token.created':
      return String(details['scopes'] ?? '–')
        .split(' ')
        .map((scope) => nameOf(scope, audit.scope))
        .join(', ');
    default:
      return '–';
  }
}

function nameOf(value: unknown, names: Record<string, string>): string {
  const text = typeof value === 'string' ? value : '–';
  return Object.hasOwn(names, text) ? (names[text] ?? text) : text;
}

function counted(value: unknown, words: (count: number) => string): string {
  return typeof value === 'number' ? words(value) : '–';
}
