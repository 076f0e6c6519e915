import { z } from 'zod';
import { defineEndpoint } from './endpoint.ts';
import { Id, Nothing, TimeZone, line, text } from './primitives.ts';

export const Role = z.enum(['admin', 'user', 'guest']);
export type Role = z.infer<typeof Role>;

/** How a person is named wherever somebody else may see them. */
export const User = z.object({
  id: Id,
  username: z.string(),
  display_name: z.string(),
  avatar_url: z.string().nullable(),
});
export type User = z.infer<typeof User>;

/** Who I am: e-mail and roles are for the person alone. */
export const Me = User.extend({ email: z.string().nullable(), roles: z.array(Role) });
export type Me = z.infer<typeof Me>;

/** 0 private, 1 friends (two people who follow each other), 2 public (any signed-in user). */
export const PrivacyLevel = z.union([z.literal(0), z.literal(1), z.literal(2)]);
export type PrivacyLevel = z.infer<typeof PrivacyLevel>;

const Website = z
  .string()
  .trim()
  .max(200)
  .refine((value) => value === '' || /^https?:\/\/[^\s]+$/i.test(value), 'must be a http(s) address');

export const Profile = z.object({
  display_name: z.string(),
  bio: z.string().nullable(),
  avatar_url: z.string().nullable(),
  location: z.string().nullable(),
  website: z.string().nullable(),
  privacy_level: PrivacyLevel,
  share_listening_history: z.boolean(),
  share_playlists: z.boolean(),
});
export type Profile = z.infer<typeof Profile>;

/** A profile PUT changes the fields it names. */
export const ProfileChange = z.strictObject({
  display_name: line(80).optional(),
  bio: text(1000).nullable().optional(),
  location: line(100, 0).nullable().optional(),
  website: Website.nullable().optional(),
  privacy_level: PrivacyLevel.optional(),
  share_listening_history: z.boolean().optional(),
  share_playlists: z.boolean().optional(),
});

export const Preferences = z.object({
  theme: z.enum(['system', 'dark', 'light']),
  language: z.enum(['system', 'en', 'de']),
  /** Single-key shortcuts can be switched off (WCAG 2.1.4). */
  single_key_shortcuts: z.boolean(),
  announce_edits: z.enum(['all', 'summary', 'off']),
  /** How far the arrow keys and the seek buttons move, in seconds. */
  seek_step: z.union([z.literal(5), z.literal(10), z.literal(15), z.literal(30)]),
  /** The queue and the place in it are there again when the app is opened. */
  resume_queue: z.boolean(),
  /** A word when a friend begins to listen. */
  notify_friends: z.boolean(),
  /** A word when others change a playlist of mine that I do not have open. */
  notify_playlists: z.boolean(),
  /** What a new playlist starts as. */
  new_playlists_public: z.boolean(),
  new_playlists_collaborative: z.boolean(),
  /** By whose clock statistics go for listens that say none of their own (a scrobbler's, an import's); null: not said yet. */
  time_zone: TimeZone.nullable(),
  /** Whether those who may see me see that I am here; listening is shared for itself. */
  show_presence: z.boolean(),
});
export type Preferences = z.infer<typeof Preferences>;
export const DEFAULT_PREFERENCES: Preferences = {
  theme: 'system',
  language: 'system',
  single_key_shortcuts: true,
  announce_edits: 'summary',
  seek_step: 5,
  resume_queue: true,
  notify_friends: false,
  notify_playlists: true,
  new_playlists_public: false,
  new_playlists_collaborative: false,
  time_zone: null,
  show_presence: true,
};
export const PreferencesChange = z.strictObject(Preferences.partial().shape);

export const getMe = defineEndpoint({
  name: 'auth.profile',
  method: 'GET',
  path: '/auth/profile',
  access: 'guest',
  summary: 'Who is calling',
  reply: Me,
});
export const getProfile = defineEndpoint({
  name: 'user.profile',
  method: 'GET',
  path: '/user/profile',
  access: 'guest',
  summary: 'My profile',
  reply: Profile,
});
export const updateProfile = defineEndpoint({
  name: 'user.profile.update',
  method: 'PUT',
  path: '/user/profile',
  access: 'user',
  summary: 'Change the named fields of my profile; who may see me changes before this answers',
  body: ProfileChange,
  reply: Profile,
});
export const getPreferences = defineEndpoint({
  name: 'user.preferences',
  method: 'GET',
  path: '/user/preferences',
  access: 'guest',
  summary: 'My preferences',
  reply: Preferences,
});
export const updatePreferences = defineEndpoint({
  name: 'user.preferences.update',
  method: 'PUT',
  path: '/user/preferences',
  access: 'user',
  summary: 'Change the named preferences',
  body: PreferencesChange,
  reply: Preferences,
});
export const logout = defineEndpoint({
  name: 'auth.logout',
  method: 'POST',
  path: '/auth/logout',
  access: 'guest',
  scope: 'never',
  summary: 'End this session and every socket it opened; a form is sent on with 303, to the provider or /login',
  status: 204,
  reply: Nothing,
});
