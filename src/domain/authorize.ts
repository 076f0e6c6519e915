import { RULES } from './access-matrix.ts';
import { DomainError } from './errors.ts';
import type { Operation, TokenScope } from '#contract/endpoint.ts';
import type { OperationName, Relation, Rule, Verdict } from './access-matrix.ts';
import type { Actor } from './context.ts';

const RANK = { guest: 0, user: 1, admin: 2 } as const;

/** An operation the table of access-matrix.ts knows. */
export type KnownOperation = Operation<OperationName>;
/** As much of an actor as is weighed. */
type Weighed = Pick<Actor, 'role' | 'credential'>;

/**
 * The one place where a role, and the scopes of a personal API token, are weighed against what an operation asks for; every
 * door calls it before the operation.
 * What a person is to a given thing (owner, editor, friend) is decided by that slice's `*.access` and in its SQL.
 * @throws DomainError forbidden
 */
export function authorize(actor: Weighed, operation: KnownOperation): void {
  const { access, scope } = operation;
  // A public operation has a door of its own; asked for here, it is nobody's.
  if (access === 'public') throw new DomainError('forbidden', 'This is not done here.');
  requireScope(actor, scope);
  if (hasRole(actor, operation)) return;
  throw new DomainError(
    'forbidden',
    access === 'admin' ? 'Only an administrator may do this.' : 'Guests may look and listen, but not change anything.',
  );
}

function hasRole({ role }: Weighed, { access }: KnownOperation): boolean {
  return access !== 'public' && RANK[role] >= RANK[access];
}

/** Whether role and credential allow an operation, whatever it is done to. */
export function isAllowed(actor: Weighed, operation: KnownOperation): boolean {
  return hasRole(actor, operation) && hasScope(actor, operation.scope);
}

/** Whether the credential itself allows it: only personal API tokens are narrower than their person. */
export function hasScope({ credential }: Pick<Actor, 'credential'>, scope: TokenScope): boolean {
  return credential.kind !== 'api_token' || (scope !== 'never' && credential.scopes.includes(scope));
}

/** @throws DomainError forbidden */
export function requireScope(actor: Pick<Actor, 'credential'>, scope: TokenScope): void {
  if (hasScope(actor, scope)) return;
  throw new DomainError(
    'forbidden',
    scope === 'never'
      ? 'An API token cannot do this: sign in instead.'
      : `This API token lacks the scope ${scope}. Make one that has it in the settings.`,
  );
}

/** What the table says of an operation and somebody who stands so to the thing it names; `state` is of its rows. */
export function verdictOf(
  operation: KnownOperation,
  actor: Weighed | null,
  to: { relation: Relation; state: string },
): Verdict {
  if (operation.access === 'public') return 'yes';
  if (actor === null) return 'unknown';
  const rule: Rule = RULES[operation.name];
  const around = rule.within === undefined ? 'yes' : verdictOf(rule.within, actor, to);
  if (around !== 'yes') return around;
  if (!isAllowed(actor, operation)) return rule.lacking ?? 'no';
  if (rule.guests !== undefined && actor.role === 'guest') return rule.guests;
  const row = (rule.rows as Readonly<Record<string, Partial<Record<Relation, Verdict>>>>)[to.state];
  const verdict = row?.[to.relation];
  if (verdict === undefined) throw new Error(`the access table says nothing of ${operation.name} for ${to.relation}`);
  return verdict;
}

/** Kinds of which one thing is named, so that it may be missing. */
const NAMING: readonly Rule['kind'][] = ['common', 'person', 'thing', 'playlist'];

/** The ways in which an operation may be refused for who asks, whatever the input. */
export function refusalsOf({ name, access }: KnownOperation): { unknown: boolean; no: boolean; hidden: boolean } {
  // Whatever is not public is refused to an API token without the scope.
  const isClosed = access !== 'public';
  return { unknown: isClosed, no: isClosed, hidden: isClosed && NAMING.includes(RULES[name].kind) };
}
