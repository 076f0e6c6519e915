import { audit } from '../admin/audit.ts';
import { notFound } from '../errors.ts';
import { cutPage, readCursor } from '../page.ts';
import { epochSeconds } from '../ports.ts';
import { inTransaction } from '../unit-of-work.ts';
import { ACTIVITY_STEP } from './ensure-user.ts';
import type { Input } from '#contract/endpoint.ts';
import type { listDevices, nameDevice as nameEndpoint, forgetDevice as forgetEndpoint } from '#contract/security.ts';
import type { Actor, Ctx } from '../context.ts';
import type { UserDevicesTable } from './accounts.table.ts';

/** How a program names itself as it connects. */
export interface HandshakeDevice {
  device_id: string;
  name: string;
}

/** Devices of a person that are kept; beyond it the one seen longest ago is forgotten. */
const DEVICES_MAX = 50;

/** Notes that a device was there; its own name counts until the person gave it another. */
export async function seeDevice(ctx: Ctx, actor: Actor, { device_id, name }: HandshakeDevice): Promise<void> {
  const now = epochSeconds(ctx.clock);
  const known = await ctx.db
    .selectFrom('user_devices')
    .select(['id', 'name', 'is_renamed', 'last_seen_at'])
    .where('user_id', '=', actor.user_id)
    .where('device_id', '=', device_id)
    .executeTakeFirst();
  const isSameName = known?.is_renamed === 1 || known?.name === name;
  if (known !== undefined && isSameName && now - known.last_seen_at < ACTIVITY_STEP) return;
  await inTransaction(ctx, async ({ trx, ids }) => {
    await trx
      .insertInto('user_devices')
      .values({
        id: ids.id(),
        user_id: actor.user_id,
        device_id,
        name,
        is_renamed: 0,
        created_at: now,
        last_seen_at: now,
      })
      .onConflict((conflict) =>
        conflict.columns(['user_id', 'device_id']).doUpdateSet((eb) => ({
          last_seen_at: now,
          name: eb.case().when('user_devices.is_renamed', '=', 1).then(eb.ref('user_devices.name')).else(name).end(),
        })),
      )
      .execute();
    await trx
      .deleteFrom('user_devices')
      .where('user_id', '=', actor.user_id)
      .where('id', 'not in', (eb) =>
        eb
          .selectFrom('user_devices as kept')
          .select('kept.id')
          .where('kept.user_id', '=', actor.user_id)
          .orderBy('kept.last_seen_at', 'desc')
          .orderBy('kept.id', 'desc')
          .limit(DEVICES_MAX),
      )
      .execute();
  });
}

/** The caller's devices, the latest seen first. */
export async function devicesOf(
  ctx: Ctx,
  actor: Actor,
  { limit, cursor }: Input<typeof listDevices>,
): Promise<{ items: UserDevicesTable[]; next_cursor: string | null }> {
  const after = readCursor<[number, string]>(cursor);
  let query = ctx.db.selectFrom('user_devices').selectAll().where('user_id', '=', actor.user_id);
  if (after !== null) {
    const [at, id] = after;
    query = query.where((eb) =>
      eb.or([eb('last_seen_at', '<', at), eb.and([eb('last_seen_at', '=', at), eb('id', '<', id)])]),
    );
  }
  const found = await query
    .orderBy('last_seen_at', 'desc')
    .orderBy('id', 'desc')
    .limit(limit + 1)
    .execute();
  const { rows, next_cursor } = cutPage(found, limit, (row) => [row.last_seen_at, row.id]);
  return { items: rows, next_cursor };
}

/** Gives one of the caller's devices a name that the program's own no longer replaces. @throws DomainError not_found */
export async function nameDevice(
  ctx: Ctx,
  actor: Actor,
  { id, name }: Input<typeof nameEndpoint>,
): Promise<UserDevicesTable> {
  const row = await inTransaction(ctx, ({ trx }) =>
    trx
      .updateTable('user_devices')
      .set({ name, is_renamed: 1 })
      .where('id', '=', id)
      .where('user_id', '=', actor.user_id)
      .returningAll()
      .executeTakeFirst(),
  );
  if (row === undefined) throw notFound('device');
  return row;
}

/** Forgets one of the caller's devices; what it has open is closed before this returns. @throws DomainError not_found */
export async function forgetDevice(ctx: Ctx, actor: Actor, { id }: Input<typeof forgetEndpoint>): Promise<void> {
  await inTransaction(ctx, async (tx) => {
    const row = await tx.trx
      .deleteFrom('user_devices')
      .where('id', '=', id)
      .where('user_id', '=', actor.user_id)
      .returning('device_id')
      .executeTakeFirst();
    if (row === undefined) throw notFound('device');
    await audit(tx, { action: 'device.forgotten', actor_id: actor.user_id, target_id: actor.user_id });
    tx.publish({ name: 'device.forgotten', payload: { user_id: actor.user_id, device_id: row.device_id } });
  });
}
