import { errors } from 'oidc-provider';
import { consumeOidcRecord, getOidcRecord, putOidcRecord, removeOidcRecords } from '#domain/accounts/oidc-records.ts';
import type { Ctx } from '#domain/context.ts';
import type { AdapterFactory, AdapterPayload } from 'oidc-provider';

/** Keeps the embedded provider's records in our database, so that a restart loses no sign-in. */
export function oidcAdapter(ctx: Ctx): AdapterFactory {
  return (model) => ({
    upsert: (id, payload, expiresIn) => putOidcRecord(ctx, model, id, { ...payload }, expiresIn),
    find: async (id) => (await getOidcRecord(ctx, model, 'id', id)) as AdapterPayload | undefined,
    findByUid: async (uid) => (await getOidcRecord(ctx, model, 'uid', uid)) as AdapterPayload | undefined,
    findByUserCode: async (code) => (await getOidcRecord(ctx, model, 'user_code', code)) as AdapterPayload | undefined,
    async consume(id) {
      // The provider looks, then consumes: of two at once, the second must fail here.
      if (!(await consumeOidcRecord(ctx, model, id))) throw new errors.InvalidGrant('already used');
    },
    destroy: (id) => removeOidcRecords(ctx, model, { id }),
    revokeByGrantId: (grant_id) => removeOidcRecords(ctx, model, { grant_id }),
  });
}
