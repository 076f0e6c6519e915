import * as security from '#contract/security.ts';
import { importDoor } from '#contract/doors.ts';
import { createTicket } from '#contract/playlists.ts';
import { searchUsers } from '#contract/social.ts';
import type { Rate } from '#rooms/token-bucket.ts';

/** So many in so many seconds, counted from the first. */
export interface Limit {
  points: number;
  seconds: number;
  /** What there were too many of, as the caller reads it. */
  of: string;
}

/**
 * How much of what anybody may ask of this server, per person or per address (an IPv6 /56). None of them is near what a
 * household does; each keeps one caller from taking what the others need. docs/running.md has them for operators.
 */
export const LIMITS = {
  /** Per person, every REST call but media: 100 a second. A person's clients make a few; a script reading the library is well below. */
  person: { points: 1_000, seconds: 10, of: 'calls' },
  /** Per person, starts of streams and covers: a grid scrolled at speed asks for some hundred pictures. */
  media: { points: 2_000, seconds: 10, of: 'calls for files' },
  /** Per person, calls below `/1/`: ListenBrainz' own number, which its programs keep to. */
  scrobbler: { points: 50, seconds: 10, of: 'calls' },
  /** Per address, calls below `/1/` that are of nobody we know: as ListenBrainz has it. */
  scrobbler_address: { points: 30, seconds: 10, of: 'calls' },
  /** Per person, files to import in a day: a past is brought once, in a few tries. */
  import: { points: 20, seconds: 86_400, of: 'imports' },
  /** Per address, calls of nobody we know, at all three doors: after that no token is verified for it. A page that forgot to sign in makes a handful. */
  stranger: { points: 300, seconds: 60, of: 'calls without a valid sign-in' },
  /** Per address, pages and documents that are open to all; a sign-in makes four. */
  page: { points: 1_200, seconds: 60, of: 'calls' },
  /** Per address, sign-ins begun: each is a row for ten minutes. Enough for everybody behind one proxy after a restart. */
  sign_in: { points: 300, seconds: 60, of: 'sign-ins' },
  /** Per address, passwords and codes tried under whatever names: a hash costs 19 MiB and some 40 ms. The wait of each name [ID4] comes first. */
  password: { points: 300, seconds: 60, of: 'tries to sign in' },
  /** Per address, looks at and uses of one-time links (first account, invitation, password reset). */
  one_time_link: { points: 120, seconds: 60, of: 'tries of a link' },
  /** Per address, WebSocket handshakes of both protocols: 100 a second lets 2,000 clients come back within half a minute. */
  handshake: { points: 6_000, seconds: 60, of: 'connections' },
  /** Per person: what one types by hand finds people, what collects a directory does not (trust.md D5). */
  people_search: { points: 20, seconds: 60, of: 'searches for people' },
  /** Per person, playlist tickets: each is a row for half a minute, and opens one connection. */
  ticket: { points: 600, seconds: 60, of: 'tickets' },
  /** Per person, API tokens made: each is a row until it is revoked. */
  api_token: { points: 300, seconds: 60, of: 'new tokens' },
  /** Per person, calls that check the own password or a code again: a stolen session must not guess them. */
  confirmation: { points: 20, seconds: 60, of: 'tries' },
  /** Per person, how long (seconds) nobody comes in again after one of their sockets was ended for flooding. */
  flood: { points: 1, seconds: 10, of: 'packets' },
} as const satisfies Record<string, Limit>;

export type LimitName = keyof typeof LIMITS;
export type Limits = Readonly<Record<LimitName, Limit>>;

/** What a gateway socket may send (trust.md C1): a phone reports once a second, a queue sent after a pause waits for each answer. */
export const PACKETS: Rate = { per_second: 20, burst: 60 };
/** What an event that does not exist costs beside an ordinary packet's 1: no client of ours sends any. */
export const UNKNOWN_EVENT_COST = 10;

/** REST operations with a limit of their own beside `person`, by the endpoint's name. */
export const ENDPOINT_LIMITS: Readonly<Record<string, LimitName>> = {
  [searchUsers.name]: 'people_search',
  [importDoor.name]: 'import',
  [createTicket.name]: 'ticket',
  [security.createToken.name]: 'api_token',
  [security.changePassword.name]: 'confirmation',
  [security.beginSecondFactor.name]: 'confirmation',
  [security.confirmSecondFactor.name]: 'confirmation',
  [security.renewRecoveryCodes.name]: 'confirmation',
  [security.endSecondFactor.name]: 'confirmation',
};
