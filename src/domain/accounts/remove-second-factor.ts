import { audit } from '../admin/audit.ts';
import { DomainError, notFound } from '../errors.ts';
import { inTransaction } from '../unit-of-work.ts';
import { lockUser } from './accounts.repository.ts';
import { LOCAL_ISSUER } from './ensure-user.ts';
import { clearSecondFactor } from './second-factor.repository.ts';
import type { Ctx } from '../context.ts';

/**
 * [AD5] Takes off the second factor of somebody who lost it, recovery codes included; without one nothing happens. `actor_id` is
 * null for the operator.
 * @returns whether there was one
 * @throws DomainError `not_found`, `unprocessable` for an account of an outside provider.
 */
export async function removeSecondFactor(ctx: Ctx, actor_id: string | null, user_id: string): Promise<boolean> {
  return inTransaction(ctx, async (tx) => {
    const user = await lockUser(tx.trx, user_id);
    if (user === undefined) throw notFound('person');
    if (user.issuer !== LOCAL_ISSUER) {
      throw new DomainError(
        'unprocessable',
        'This account lives at the OpenID provider: its second factor is set there.',
      );
    }
    const wasThere = await clearSecondFactor(tx.trx, user.subject);
    if (wasThere) await audit(tx, { action: 'second_factor.removed', actor_id, target_id: user.id });
    return wasThere;
  });
}
