import { DomainError } from './errors.ts';
import type { Access, TokenScope } from '#contract/endpoint.ts';
import type { Actor } from './context.ts';

const RANK = { guest: 0, user: 1, admin: 2 } as const;

/**
 * The one place where a role, and the scopes of a personal API token, are weighed against what an operation asks for; every
 * door calls it before the operation.
 * What a person is to a given thing (owner, editor, friend) is decided by that slice's `*.access` and in its SQL.
 * @throws DomainError forbidden
 */
export function authorize(actor: Actor, { access, scope }: { access: Access; scope: TokenScope }): void {
  // A public operation has a door of its own; asked for here, it is nobody's.
  if (access === 'public') throw new DomainError('forbidden', 'This is not done here.');
  requireScope(actor, scope);
  if (RANK[actor.role] >= RANK[access]) return;
  throw new DomainError(
    'forbidden',
    access === 'admin' ? 'Only an administrator may do this.' : 'Guests may look and listen, but not change anything.',
  );
}

/** Whether the credential itself allows it: only personal API tokens are narrower than their person. */
export function hasScope({ credential }: Actor, scope: TokenScope): boolean {
  return credential.kind !== 'api_token' || (scope !== 'never' && credential.scopes.includes(scope));
}

/** @throws DomainError forbidden */
export function requireScope(actor: Actor, scope: TokenScope): void {
  if (hasScope(actor, scope)) return;
  throw new DomainError(
    'forbidden',
    scope === 'never'
      ? 'An API token cannot do this: sign in instead.'
      : `This API token lacks the scope ${scope}. Make one that has it in the settings.`,
  );
}
