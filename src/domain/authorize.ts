import { DomainError } from './errors.ts';
import type { Access } from '#contract/endpoint.ts';
import type { Actor } from './context.ts';

const RANK = { guest: 0, user: 1, admin: 2 } as const;

/**
 * The one place where a role is weighed against what an operation asks for; every door calls it before the operation.
 * What a person is to a given thing (owner, editor, friend) is decided by that slice's `*.access` and in its SQL.
 * @throws DomainError forbidden
 */
export function authorize(actor: Actor, access: Exclude<Access, 'public'>): void {
  if (RANK[actor.role] >= RANK[access]) return;
  throw new DomainError(
    'forbidden',
    access === 'admin' ? 'Only an administrator may do this.' : 'Guests may look and listen, but not change anything.',
  );
}
