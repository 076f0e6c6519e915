import { z } from 'zod';
import { defineEndpoint } from './endpoint.ts';
import { EpochSeconds, Id, Nothing, PageQuery, QueryFlag, line, page } from './primitives.ts';

/** What a personal API token may do: report listens, read what its person may read, change what they may change. */
export const Scope = z.enum(['listen:write', 'read', 'write']);
export type Scope = z.infer<typeof Scope>;

const byId = z.strictObject({ id: Id });
const DeviceName = line(60);

/** A browser that is signed in. */
export const SignInSession = z.object({
  id: Id,
  /** As the person calls it, else as the browser describes itself. */
  device_name: z.string(),
  user_agent: z.string(),
  created_at: EpochSeconds,
  last_used_at: EpochSeconds,
  expires_at: EpochSeconds,
  is_current: z.boolean(),
  /** It has a socket open now. */
  is_online: z.boolean(),
});
export type SignInSession = z.infer<typeof SignInSession>;

export const listSessions = defineEndpoint({
  name: 'auth.sessions',
  method: 'GET',
  path: '/auth/sessions',
  access: 'guest',
  scope: 'never',
  summary: 'Where I am signed in, the latest used first',
  query: PageQuery,
  reply: page(SignInSession),
});
export const nameSession = defineEndpoint({
  name: 'auth.sessions.name',
  method: 'PATCH',
  path: '/auth/sessions/{id}',
  access: 'guest',
  scope: 'never',
  summary: 'Give the device of a session a name',
  params: byId,
  body: z.strictObject({ device_name: DeviceName }),
  reply: SignInSession,
});
export const endOneSession = defineEndpoint({
  name: 'auth.sessions.end',
  method: 'DELETE',
  path: '/auth/sessions/{id}',
  access: 'guest',
  scope: 'never',
  summary: 'Sign a device out; its sockets are closed before this answers',
  params: byId,
  status: 204,
  reply: Nothing,
});
export const endAllSessions = defineEndpoint({
  name: 'auth.sessions.end_all',
  method: 'DELETE',
  path: '/auth/sessions',
  access: 'guest',
  scope: 'never',
  summary: 'Sign out everywhere, access tokens included; keep_current spares this session. API tokens stay',
  query: z.strictObject({ keep_current: QueryFlag.default(false) }),
  status: 204,
  reply: Nothing,
});

/** A program that named its device when it connected to the gateway. */
export const Device = z.object({
  id: Id,
  name: z.string(),
  created_at: EpochSeconds,
  last_seen_at: EpochSeconds,
  is_online: z.boolean(),
});
export type Device = z.infer<typeof Device>;

export const listDevices = defineEndpoint({
  name: 'auth.devices',
  method: 'GET',
  path: '/auth/devices',
  access: 'guest',
  scope: 'never',
  summary: 'Programs that connected with a token and named their device, the latest seen first',
  query: PageQuery,
  reply: page(Device),
});
export const nameDevice = defineEndpoint({
  name: 'auth.devices.name',
  method: 'PATCH',
  path: '/auth/devices/{id}',
  access: 'guest',
  scope: 'never',
  summary: 'Give a device a name of my own',
  params: byId,
  body: z.strictObject({ name: DeviceName }),
  reply: Device,
});
export const forgetDevice = defineEndpoint({
  name: 'auth.devices.forget',
  method: 'DELETE',
  path: '/auth/devices/{id}',
  access: 'guest',
  scope: 'never',
  summary: 'Close what the device has open and forget it; revoke its token to keep it out',
  params: byId,
  status: 204,
  reply: Nothing,
});

export const ApiToken = z.object({
  id: Id,
  name: z.string(),
  scopes: z.array(Scope),
  created_at: EpochSeconds,
  last_used_at: EpochSeconds.nullable(),
  expires_at: EpochSeconds.nullable(),
});
export type ApiToken = z.infer<typeof ApiToken>;

/** Seconds a token may be given to live; none is asked for. */
const TOKEN_LIFE_MAX = 10 * 366 * 24 * 3600;

export const listTokens = defineEndpoint({
  name: 'auth.tokens',
  method: 'GET',
  path: '/auth/tokens',
  access: 'guest',
  scope: 'never',
  summary: 'My API tokens, without the tokens themselves',
  query: PageQuery,
  reply: page(ApiToken),
});
export const createToken = defineEndpoint({
  name: 'auth.tokens.create',
  showsSecret: true,
  method: 'POST',
  path: '/auth/tokens',
  access: 'user',
  scope: 'never',
  summary: 'Make an API token; this answer is the only place where it is shown',
  body: z.strictObject({
    name: line(60),
    scopes: z
      .array(Scope)
      .min(1)
      .max(3)
      .transform((scopes) => [...new Set(scopes)]),
    expires_in: z.int().min(60).max(TOKEN_LIFE_MAX).optional(),
  }),
  status: 201,
  reply: ApiToken.extend({ token: z.string() }),
});
export const revokeToken = defineEndpoint({
  name: 'auth.tokens.revoke',
  method: 'DELETE',
  path: '/auth/tokens/{id}',
  access: 'guest',
  scope: 'never',
  summary: 'Revoke an API token; its sockets are closed before this answers',
  params: byId,
  status: 204,
  reply: Nothing,
});
export const revokeAllTokens = defineEndpoint({
  name: 'auth.tokens.revoke_all',
  method: 'DELETE',
  path: '/auth/tokens',
  access: 'guest',
  scope: 'never',
  summary: 'Revoke all my API tokens',
  status: 204,
  reply: Nothing,
});

/** Longer than any real password; the rules for a new one are said by the server. */
const Password = z.string().min(1).max(400);

export const changePassword = defineEndpoint({
  name: 'auth.password',
  method: 'POST',
  path: '/auth/password',
  access: 'guest',
  scope: 'never',
  summary: 'Change my password; every other session of mine ends. Accounts of this server only',
  body: z.strictObject({ current_password: Password, new_password: Password }),
  status: 204,
  reply: Nothing,
});

export const SecondFactor = z.object({
  /** False with an outside provider, where it is set up instead. */
  is_available: z.boolean(),
  is_enabled: z.boolean(),
  enabled_at: EpochSeconds.nullable(),
  recovery_codes_left: z.int(),
});
export type SecondFactor = z.infer<typeof SecondFactor>;
const RecoveryCodes = z.object({ recovery_codes: z.array(z.string()) });

export const getSecondFactor = defineEndpoint({
  name: 'auth.second_factor',
  method: 'GET',
  path: '/auth/second-factor',
  access: 'guest',
  scope: 'never',
  summary: 'Whether signing in asks for a code as well',
  reply: SecondFactor,
});
export const beginSecondFactor = defineEndpoint({
  name: 'auth.second_factor.begin',
  showsSecret: true,
  method: 'POST',
  path: '/auth/second-factor',
  access: 'guest',
  scope: 'never',
  summary: 'A fresh secret for an authenticator app; it counts once a code of it was confirmed',
  body: z.strictObject({ current_password: Password }),
  reply: z.object({
    /** Base32, to be typed in. */
    secret: z.string(),
    /** `otpauth://`, as apps read it. */
    uri: z.string(),
    /** The same as a picture to scan. */
    qr_svg: z.string(),
  }),
});
export const confirmSecondFactor = defineEndpoint({
  name: 'auth.second_factor.confirm',
  showsSecret: true,
  method: 'POST',
  path: '/auth/second-factor/confirm',
  access: 'guest',
  scope: 'never',
  summary: 'Turn the second factor on; the recovery codes are shown this once',
  body: z.strictObject({ code: z.string().trim().min(6).max(12) }),
  reply: RecoveryCodes,
});
export const renewRecoveryCodes = defineEndpoint({
  name: 'auth.second_factor.recovery_codes',
  showsSecret: true,
  method: 'POST',
  path: '/auth/second-factor/recovery-codes',
  access: 'guest',
  scope: 'never',
  summary: 'Fresh recovery codes in place of the old ones',
  body: z.strictObject({ current_password: Password }),
  reply: RecoveryCodes,
});
export const endSecondFactor = defineEndpoint({
  name: 'auth.second_factor.end',
  method: 'DELETE',
  path: '/auth/second-factor',
  access: 'guest',
  scope: 'never',
  summary: 'Turn the second factor off',
  body: z.strictObject({ current_password: Password }),
  status: 204,
  reply: Nothing,
});

export const removeAvatar = defineEndpoint({
  name: 'user.avatar.remove',
  method: 'DELETE',
  path: '/user/avatar',
  access: 'user',
  summary: 'Remove my picture',
  status: 204,
  reply: Nothing,
});
