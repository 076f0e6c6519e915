import * as security from '#contract/security.ts';
import { createApiToken } from '#domain/accounts/api-tokens.ts';
import { devicesOf, forgetDevice, nameDevice } from '#domain/accounts/devices.ts';
import { apiTokensOf, revokeAllApiTokens, revokeApiToken } from '#domain/accounts/manage-api-tokens.ts';
import { endAllSessions, endOneSession, nameSession, sessionsOf } from '#domain/accounts/manage-sessions.ts';
import { presentApiToken, presentDevice, presentSession } from '#domain/accounts/security.present.ts';
import { on } from '../mount.ts';
import type { Actor } from '#domain/context.ts';
import type { Connections } from '#rooms/connections.ts';
import type { Route } from '../mount.ts';

/** Where I am signed in, my devices and my API tokens. */
export function securityRoutes(connections: Connections): Route[] {
  const isSessionOnline = (actor: Actor, id: string) =>
    connections
      .of(actor.user_id)
      .some(({ actor: { credential } }) => credential.kind === 'session' && credential.session_id === id);
  const isDeviceOnline = (actor: Actor, device_id: string) =>
    connections.of(actor.user_id).some((connection) => connection.device_id === device_id);
  return [
    on(security.listSessions, async (ctx, actor, input) => {
      const { items, next_cursor } = await sessionsOf(ctx, actor, input);
      return { items: items.map((row) => presentSession(row, actor, isSessionOnline(actor, row.id))), next_cursor };
    }),
    on(security.nameSession, async (ctx, actor, input) => {
      const row = await nameSession(ctx, actor, input);
      return presentSession(row, actor, isSessionOnline(actor, row.id));
    }),
    on(security.endOneSession, endOneSession),
    on(security.endAllSessions, endAllSessions),
    on(security.listDevices, async (ctx, actor, input) => {
      const { items, next_cursor } = await devicesOf(ctx, actor, input);
      return { items: items.map((row) => presentDevice(row, isDeviceOnline(actor, row.device_id))), next_cursor };
    }),
    on(security.nameDevice, async (ctx, actor, input) => {
      const row = await nameDevice(ctx, actor, input);
      return presentDevice(row, isDeviceOnline(actor, row.device_id));
    }),
    on(security.forgetDevice, forgetDevice),
    on(security.listTokens, async (ctx, actor, input) => {
      const { items, next_cursor } = await apiTokensOf(ctx, actor, input);
      return { items: items.map(presentApiToken), next_cursor };
    }),
    on(security.createToken, (ctx, actor, input) => createApiToken(ctx, actor.user_id, input)),
    on(security.revokeToken, revokeApiToken),
    on(security.revokeAllTokens, revokeAllApiTokens),
  ];
}
