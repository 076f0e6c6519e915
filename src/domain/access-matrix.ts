/**
 * Who may do what (docs/decisions/0008): every REST operation, socket event and right over a playlist's document, against what
 * the caller is to the thing it names. Role and token scope are the operation's own (`access`, `scope` in src/contract), weighed
 * first by authorize.ts; this table adds the relation. A new operation does not compile without a line here, and
 * test/server/authorisation.test.ts tries every line at the real doors.
 */
import { openDocument } from '#contract/playlists.ts';
import type * as accounts from '#contract/accounts.ts';
import type * as admin from '#contract/admin.ts';
import type * as doors from '#contract/doors.ts';
import type * as favorites from '#contract/favorites.ts';
import type * as feed from '#contract/feed.ts';
import type * as history from '#contract/history.ts';
import type * as jobs from '#contract/jobs.ts';
import type * as library from '#contract/library.ts';
import type * as listens from '#contract/listens.ts';
import type * as playlists from '#contract/playlists.ts';
import type * as presence from '#contract/presence.ts';
import type * as recommendations from '#contract/recommendations.ts';
import type * as search from '#contract/search.ts';
import type * as security from '#contract/security.ts';
import type * as social from '#contract/social.ts';
import type * as stats from '#contract/stats.ts';
import type { PrivacyLevel } from '#contract/accounts.ts';
import type { Operation } from '#contract/endpoint.ts';

type NamesIn<Module> = {
  [Key in keyof Module]: Module[Key] extends Operation<infer Name> ? Name : never;
}[keyof Module];
/** Everything a caller may be refused, by name. */
export type OperationName =
  | NamesIn<typeof accounts>
  | NamesIn<typeof admin>
  | NamesIn<typeof doors>
  | NamesIn<typeof favorites>
  | NamesIn<typeof feed>
  | NamesIn<typeof history>
  | NamesIn<typeof jobs>
  | NamesIn<typeof library>
  | NamesIn<typeof listens>
  | NamesIn<typeof playlists>
  | NamesIn<typeof presence>
  | NamesIn<typeof recommendations>
  | NamesIn<typeof search>
  | NamesIn<typeof security>
  | NamesIn<typeof social>
  | NamesIn<typeof stats>;

/**
 * What a caller is to the thing named, or to the person whose it is. A friend follows and is followed, a follower only follows;
 * `blocked`: either of the two has blocked the other. `nobody` did not say who they are.
 */
export type Relation =
  'self' | 'owner' | 'editor' | 'viewer' | 'friend' | 'follower' | 'stranger' | 'blocked' | 'nobody';

/**
 * `yes` · `no`: 403, or close 4403 · `hidden`: 404, close 4404 or left out of a list, exactly as if it were not there ·
 * `unknown`: 401 · `senseless`: 422, nobody can do that to themselves.
 */
export type Verdict = 'yes' | 'no' | 'hidden' | 'unknown' | 'senseless';

type Row<R extends Relation> = Readonly<Record<R, Verdict>>;
/** Columns of what is a person's. */
type PersonRow = Row<'self' | 'friend' | 'follower' | 'stranger' | 'blocked'>;
/** Columns of playlists: members, then what others are to the owner. */
type ListRow = Row<'owner' | 'editor' | 'viewer' | 'friend' | 'follower' | 'stranger' | 'blocked'>;

export type Rule = {
  /** What one is told whose role or token does not reach; `no` unless said. */
  readonly lacking?: Verdict;
  /** It is done inside this, by those who may that. */
  readonly within?: Operation<OperationName>;
  /** Guests' reports are acknowledged unread (LP8): for them this stands for the whole row. */
  readonly guests?: Verdict;
} & (
  | { /** Names nothing of anybody's. */ readonly kind: 'nothing'; readonly rows: { readonly any: Row<'self'> } }
  | {
      /** Names a thing that belongs to the house: all are alike to it, and a block between people has nothing to say. */
      readonly kind: 'common';
      readonly rows: { readonly any: Row<'stranger'> };
    }
  | {
      /**
       * Names a person, or a thing of one person; `people` and `things` list such, and leave out what is hidden. `anybody`: a
       * person, but one who is not there is as good.
       */
      readonly kind: 'person' | 'thing' | 'people' | 'things' | 'anybody';
      readonly rows: { readonly any: PersonRow };
    }
  | {
      /** Names a playlist, or lists such. Public is one whose owner marked it so and lets it be seen (PL2). */
      readonly kind: 'playlist' | 'playlists';
      readonly rows: { readonly private: ListRow; readonly public: ListRow };
    }
);

const yes = 'yes';
const no = 'no';
const hidden = 'hidden';

const NOTHING = { kind: 'nothing', rows: { any: { self: yes } } } as const;
const COMMON = { kind: 'common', rows: { any: { stranger: yes } } } as const;

const MINE = { self: yes, friend: hidden, follower: hidden, stranger: hidden, blocked: hidden } as const;
const OWN = { kind: 'thing', rows: { any: MINE } } as const;
const OWN_THINGS = { kind: 'things', rows: { any: MINE } } as const;
/** A person's listening as the tests' owner leaves it: not shared. Who shares it is seen as `SIGHT` says. */
const LISTENING = { kind: 'person', rows: { any: MINE } } as const;
const REPORT = { ...OWN, guests: yes } as const;

const ANYBODY = { self: yes, friend: yes, follower: yes, stranger: yes, blocked: yes } as const;
const KNOWN = { ...ANYBODY, blocked: hidden } as const;
/** An account as administrators see it: a block between people does not reach them. */
const ACCOUNT = { kind: 'person', rows: { any: ANYBODY } } as const;
const PERSON = { kind: 'person', rows: { any: KNOWN } } as const;
/** Letting go of somebody is taken of anybody, there or not: the answer tells nothing. */
const LET_GO = { kind: 'anybody', rows: { any: ANYBODY } } as const;

const OUTSIDE = { friend: hidden, follower: hidden, stranger: hidden, blocked: hidden } as const;
const READERS = { friend: yes, follower: yes, stranger: yes, blocked: hidden } as const;
const ONLOOKERS = { friend: no, follower: no, stranger: no, blocked: hidden } as const;
const MEMBERS = { owner: yes, editor: yes, viewer: yes } as const;
const READ_LIST = {
  kind: 'playlist',
  rows: { private: { ...MEMBERS, ...OUTSIDE }, public: { ...MEMBERS, ...READERS } },
} as const;
const EDIT_LIST = {
  kind: 'playlist',
  rows: {
    private: { owner: yes, editor: yes, viewer: no, ...OUTSIDE },
    public: { owner: yes, editor: yes, viewer: no, ...ONLOOKERS },
  },
} as const;
const OWN_LIST = {
  kind: 'playlist',
  rows: {
    private: { owner: yes, editor: no, viewer: no, ...OUTSIDE },
    public: { owner: yes, editor: no, viewer: no, ...ONLOOKERS },
  },
} as const;
/** What members see of each other's doings, which readers of a public list do not. */
const MEMBERS_ONLY = {
  kind: 'playlist',
  rows: { private: { ...MEMBERS, ...OUTSIDE }, public: { ...MEMBERS, ...ONLOOKERS } },
} as const;
/** An owner hands a list over or deletes it. */
const LEAVE_LIST = {
  kind: 'playlist',
  rows: {
    private: { ...MEMBERS, owner: 'senseless', ...OUTSIDE },
    public: { ...MEMBERS, owner: 'senseless', ...ONLOOKERS },
  },
} as const;
/** A socket is opened to a known caller, then closed with 4404, whatever is wrong (contract §5). */
const READ_DOCUMENT = { ...READ_LIST, lacking: hidden } as const;
const MY_LISTS = {
  kind: 'playlists',
  rows: { private: { ...MEMBERS, ...OUTSIDE }, public: { ...MEMBERS, ...OUTSIDE } },
} as const;

/** The table. */
export const RULES = {
  'auth.login.get': NOTHING,
  'auth.login.post': NOTHING,
  'auth.callback': NOTHING,
  'auth.backchannel_logout': NOTHING,
  'auth.logout': NOTHING,
  'auth.profile': NOTHING,
  'auth.sessions': OWN_THINGS,
  'auth.sessions.name': OWN,
  'auth.sessions.end': OWN,
  'auth.sessions.end_all': NOTHING,
  'auth.devices': OWN_THINGS,
  'auth.devices.name': OWN,
  'auth.devices.forget': OWN,
  'auth.tokens': OWN_THINGS,
  'auth.tokens.create': NOTHING,
  'auth.tokens.revoke': OWN,
  'auth.tokens.revoke_all': NOTHING,
  'auth.password': NOTHING,
  'auth.second_factor': NOTHING,
  'auth.second_factor.begin': NOTHING,
  'auth.second_factor.confirm': NOTHING,
  'auth.second_factor.recovery_codes': NOTHING,
  'auth.second_factor.end': NOTHING,
  'auth:refresh': NOTHING,

  'user.profile': NOTHING,
  'user.profile.update': NOTHING,
  'user.preferences': NOTHING,
  'user.preferences.update': NOTHING,
  'user.avatar.set': NOTHING,
  'user.avatar.remove': NOTHING,
  'avatars.get': COMMON,

  'admin.users': { kind: 'people', rows: { any: ANYBODY } },
  'admin.users.change': ACCOUNT,
  'admin.users.password_reset': ACCOUNT,
  'admin.users.second_factor.remove': ACCOUNT,
  'admin.invites': NOTHING,
  'admin.invites.create': NOTHING,
  'admin.invites.revoke': COMMON,
  'admin.audit': NOTHING,

  'library.tracks': NOTHING,
  'library.track': COMMON,
  'library.stream': COMMON,
  'library.cover': COMMON,
  'library.features': COMMON,
  'library.albums': NOTHING,
  'library.album': COMMON,
  'library.artists': NOTHING,
  'library.artist': COMMON,
  'library.genres': NOTHING,
  'library.search': NOTHING,
  'recommendations.similar': COMMON,
  'favorites.list': OWN_THINGS,
  'favorites.marks': NOTHING,
  'favorites.add': COMMON,
  'favorites.note': COMMON,
  'favorites.remove': COMMON,
  // Names tracks in its body only: one that is none is bad input.
  'favorites.set_many': NOTHING,
  'ratings.set': COMMON,
  'ratings.clear': COMMON,
  'favorites.albums': NOTHING,
  'favorites.albums.add': COMMON,
  'favorites.albums.note': COMMON,
  'favorites.albums.remove': COMMON,
  'favorites.artists': NOTHING,
  'favorites.artists.add': COMMON,
  'favorites.artists.note': COMMON,
  'favorites.artists.remove': COMMON,

  'library.scan': NOTHING,
  'library.scan.start': NOTHING,

  'listen.start': COMMON,
  'listen.progress': REPORT,
  'listen.complete': REPORT,
  'listen.history': OWN_THINGS,
  'listen.history.delete': OWN,
  'user.listening_history.delete': NOTHING,
  'listen.session': OWN,
  'listen.stats': NOTHING,
  'listen.stats.year': NOTHING,
  'listen:start': COMMON,
  'listen:progress': REPORT,
  'listen:complete': REPORT,

  'listen.import': NOTHING,
  'jobs.list': OWN_THINGS,
  'jobs.get': OWN,
  'jobs.rows': OWN,
  'jobs.cancel': OWN,

  'listenbrainz.validate_token': NOTHING,
  'listenbrainz.submit_listens': NOTHING,
  'listenbrainz.listens': LISTENING,
  'listenbrainz.listen_count': LISTENING,
  'listenbrainz.playing_now': LISTENING,
  'listenbrainz.feedback': LISTENING,
  'listenbrainz.feedback.give': NOTHING,
  'listenbrainz.delete_listen': NOTHING,
  'listenbrainz.latest_import': NOTHING,
  'listenbrainz.latest_import.set': NOTHING,

  'playlists.list': MY_LISTS,
  'playlists.create': NOTHING,
  'playlists.get': READ_LIST,
  'playlists.update': EDIT_LIST,
  'playlists.update.visibility': OWN_LIST,
  'playlists.delete': OWN_LIST,
  'playlists.tracks': READ_LIST,
  'playlists.tracks.add': EDIT_LIST,
  'playlists.tracks.move': EDIT_LIST,
  'playlists.tracks.remove': EDIT_LIST,
  'playlists.collaborators': READ_LIST,
  'playlists.collaborators.set': OWN_LIST,
  'playlists.collaborators.remove': OWN_LIST,
  'playlists.ticket': READ_LIST,
  'playlists.import': NOTHING,
  'playlists.export': READ_LIST,
  'playlists.invites': OWN_LIST,
  'playlists.invites.create': OWN_LIST,
  'playlists.invites.revoke': OWN_LIST,
  // Whoever holds the code was given it.
  'invites.get': COMMON,
  'invites.accept': COMMON,
  'playlists.copy': READ_LIST,
  'playlists.leave': LEAVE_LIST,
  'playlists.transfer': OWN_LIST,
  'playlists.cover': READ_LIST,
  'playlists.cover.set': EDIT_LIST,
  'playlists.cover.remove': EDIT_LIST,
  'playlists.sort': EDIT_LIST,
  'playlists.history': MEMBERS_ONLY,
  'playlists.restore': OWN_LIST,
  'yjs.open': READ_DOCUMENT,
  'yjs.edit': { ...EDIT_LIST, within: openDocument },
  'yjs.awareness': { ...READ_LIST, within: openDocument },

  'users.search': { kind: 'people', rows: { any: KNOWN } },
  'users.get': PERSON,
  // [SO2] For one who shares their listening with friends, as the privacy level is unless changed.
  'users.stats': { kind: 'person', rows: { any: { ...MINE, friend: yes } } },
  'social.following': { kind: 'people', rows: { any: { ...MINE, self: hidden, friend: yes, follower: yes } } },
  'social.followers': { kind: 'people', rows: { any: { ...MINE, self: hidden, friend: yes } } },
  'social.follow': { kind: 'person', rows: { any: { ...KNOWN, self: 'senseless' } } },
  'social.unfollow': LET_GO,
  // Of whoever blocked somebody only they know.
  'social.blocked': { kind: 'people', rows: { any: { ...MINE, self: hidden } } },
  'social.block': { kind: 'person', rows: { any: { ...KNOWN, self: 'senseless' } } },
  'social.unblock': LET_GO,
  'social.feed': { kind: 'things', rows: { any: { ...MINE, self: hidden, friend: yes } } },
  'user.private_session': NOTHING,
  'user.private_session.begin': NOTHING,
  'user.private_session.end': NOTHING,
  'user:watch': PERSON,
  'user:unwatch': LET_GO,
  // Each of its events is weighed as if it had come alone.
  'listen:batch': NOTHING,
  'feed:subscribe': NOTHING,
  'feed:unsubscribe': NOTHING,
  'presence:set': NOTHING,
  'clock:sync': NOTHING,
} as const satisfies Record<OperationName, Rule>;

/** Operations that name a playlist. */
export type ListOperationName = {
  [Name in OperationName]: (typeof RULES)[Name]['kind'] extends 'playlist' ? Name : never;
}[OperationName];

/**
 * [SO2] Who sees a person's profile and presence, by the privacy level they chose (contract §6); their listening also needs
 * `share_listening_history`, and presence `show_presence`.
 */
export const SIGHT: Readonly<Record<PrivacyLevel, PersonRow>> = {
  0: MINE,
  1: { ...MINE, friend: yes },
  2: KNOWN,
};
