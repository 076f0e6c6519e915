import { getMe, getPreferences, getProfile, updatePreferences, updateProfile } from '#contract/accounts.ts';
import { removeAvatar as removeAvatarEndpoint } from '#contract/security.ts';
import { removeAvatar } from '#domain/accounts/avatars.ts';
import * as preferences from '#domain/accounts/preferences.ts';
import * as profile from '#domain/accounts/update-profile.ts';
import { on } from '../mount.ts';
import type { Route } from '../mount.ts';

/** Who I am, my profile and preferences; a picture, which is no JSON, is sent to ../avatars.ts. Signing in and out is the identity router's: it owns the cookie. */
export const accountsRoutes: Route[] = [
  on(getMe, (ctx, actor) => profile.readMe(ctx, actor)),
  on(getProfile, (ctx, actor) => profile.readProfile(ctx, actor)),
  on(updateProfile, (ctx, actor, input) => profile.updateProfile(ctx, actor, input)),
  on(removeAvatarEndpoint, (ctx, actor) => removeAvatar(ctx, actor)),
  on(getPreferences, (ctx, actor) => preferences.readPreferences(ctx, actor)),
  on(updatePreferences, (ctx, actor, input) => preferences.updatePreferences(ctx, actor, input)),
];
