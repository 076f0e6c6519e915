/**
 * The threat model of sessions, gateway, REST, identity and secrets (its sections 2 A, C to F and G1 to G3) and of faults (its section
 * 3), row by row: which tests show that the defence holds, or which later work brings what there would be to attack.
 */

/** A test by its file below `test/` and its title as it stands in the file. */
export interface NamedTest {
  file: string;
  title: string;
}

export type Shown =
  | { by: readonly NamedTest[] }
  /** What is attacked is not built yet. */
  | { reason: string; issue: string };

const of = (file: string, ...titles: string[]): NamedTest[] => titles.map((title) => ({ file, title }));

const GATEWAY = 'server/gateway/gateway.test.ts';
const SYNC = 'server/sync/playlist-sync.test.ts';
const HTTP = 'server/http/http.test.ts';
const MEDIA = 'server/media.test.ts';
const OUTBOUND = 'server/outbound.test.ts';
const EMBEDDED = 'server/identity/embedded.test.ts';
const OUTSIDE = 'server/identity/outside.test.ts';
const TOKENS = 'server/identity/tokens.test.ts';
const ORIGINS = 'server/identity/origins.test.ts';
const BAD_TOKENS = 'server/attacks/tokens.test.ts';
const FLOOD = 'server/attacks/jwks-flood.test.ts';
const REVOCATION = 'server/attacks/revocation.test.ts';
const ELSEWHERE = 'server/attacks/other-process.test.ts';
const UPGRADE = 'server/upgrade.test.ts';
const FLOODS = 'server/gateway/flood.test.ts';
const WRAPPER = 'server/gateway/on-request.test.ts';
const HARDENING = 'server/http/hardening.test.ts';
const LIMITED = 'server/limits/doors.test.ts';
const CANARY = 'server/canary.test.ts';
const PROTOTYPE = 'server/prototype.test.ts';
const BACKCHANNEL = 'server/identity/backchannel-logout.test.ts';
const RENEWED = 'server/identity/renewed-sockets.test.ts';
const KEYCLOAK = 'services/keycloak.test.ts';
const ACCOUNTS = 'domain/accounts/accounts.test.ts';
const SIGHTS = 'server/who-sees-whom.test.ts';
const MANAGE = 'domain/accounts/manage-access.test.ts';

const KILLED = 'faults/kill.test.ts';
const STOPPED = 'faults/stop.test.ts';
const FULL = 'faults/disk-full.test.ts';
const LOCKED = 'server/locked-database.test.ts';
const SLOW = 'server/gateway/slow-reader.test.ts';
const KEYED = 'server/http/idempotency.test.ts';
const FAKED = 'server/attacks/fake-listens.test.ts';

/** Every row there is; one without an entry below fails. */
export const ROW_NAMES = [
  ...Array.from({ length: 9 }, (_, i) => `A${i + 1}`),
  ...Array.from({ length: 6 }, (_, i) => `C${i + 1}`),
  ...Array.from({ length: 4 }, (_, i) => `D${i + 1}`),
  ...Array.from({ length: 8 }, (_, i) => `E${i + 1}`),
  ...Array.from({ length: 8 }, (_, i) => `F${i + 1}`),
  'G1',
  'G2',
  'G3',
  ...[1, 2, 3, 4, 6, 7, 8, 9, 10, 13, 19].map((i) => `R${i}`),
];

const EVERY_REVOCATION =
  '[GW20] ${ROUNDS} interleavings of ten kinds of revocation with frames before, meanwhile and after';

export const TRUST_ROWS: Record<string, readonly Shown[]> = {
  D1: [
    {
      by: [
        ...of(
          SIGHTS,
          '[SO10-2] level $level, sharing $shares, private session $isPrivate: no byte to the wrong viewer, by any channel',
        ),
        ...of(
          'server/authorisation.test.ts',
          '[AZ5] who sees a person: no byte of what is hidden, by any channel, to any role',
        ),
      ],
    },
  ],
  D2: [
    {
      by: [
        ...of(
          'rooms/withdrawn-sight.test.ts',
          '[SO10-3] nothing reaches whom it may not after the change is answered, on $name',
        ),
        ...of(
          'rooms/live-listening.test.ts',
          '[SO3] after a change of privacy is acknowledged, no update reaches who may not see it: 200 flips',
        ),
      ],
    },
  ],
  D3: [
    { by: of(SIGHTS, '[SO10-1] who has blocked one is to the byte like nobody, at every route that names a person') },
  ],
  D4: [
    {
      by: [
        ...of(
          SIGHTS,
          '[PR10-1] who follows nobody is not told of anybody’s coming and going, and no notice names a socket',
        ),
        ...of(
          'rooms/presence-room.test.ts',
          '[PR10-2] a departure shows only after its delay; who is back within it was never gone',
          '[PR10-2] delays are spread over half a minute, anew for each departure',
        ),
      ],
    },
  ],
  A1: [
    {
      by: [
        ...of(GATEWAY, '[GW3] who is let in, by credential and origin, before any WebSocket exists'),
        ...of(SYNC, '[PL16] who is let in, by credential and origin'),
        ...of(ORIGINS, '[ID50] %s with %j: own %s'),
      ],
    },
    {
      by: of(
        UPGRADE,
        '[GW12] a cookie opens one from our own pages alone, on both paths alike',
        '[GW12] there is no way round it by polling, by another path, or as an ordinary request',
      ),
    },
  ],
  A2: [
    {
      by: [
        ...of(
          BAD_TOKENS,
          '[ID92] a good token in an address is refused at every door, and so is one in a cookie',
          '[ID96] none of them is in any line of the log, not even in parts',
        ),
        ...of(SYNC, '[PL14] a ticket opens one connection to one list'),
      ],
    },
    { by: of(UPGRADE, '[GW13] a token in the address is refused, even beside a good one, and is in no answer') },
  ],
  A3: [
    {
      by: [
        ...of(REVOCATION, '[GW21] ${EXPIRING} tokens that end while their sockets write: no frame is taken past exp'),
        ...of(
          GATEWAY,
          '[GW4] a token’s end ends its sockets of both protocols; nothing comes after',
          '[GW5] auth:refresh keeps every socket of the same person going, those of lists too',
          '[GW5] auth:refresh with a token of somebody else, or of another session, ends the socket',
        ),
        ...of(SYNC, '[ID9] a token’s socket ends with the token, and a ticket’s with the token it was asked by'),
      ],
    },
  ],
  A4: [
    {
      by: [
        ...of(REVOCATION, EVERY_REVOCATION),
        ...of(ELSEWHERE, '[GW23] %s: sockets of both protocols close within a second, with the reason'),
        ...of(GATEWAY, '[ID9] signing out ends the session’s sockets within a second, and nothing is told after'),
        ...of(SYNC, '[ID9] the end of a session ends its sockets within a second, and nothing is taken or told after'),
      ],
    },
    { by: of(RENEWED, '[ID55] close before a back-channel logout is answered') },
    { reason: 'an account cannot be erased yet, and there is one node', issue: 'erasure and several nodes' },
  ],
  A5: [
    {
      by: [
        ...of(REVOCATION, EVERY_REVOCATION),
        ...of(SYNC, '[PL13] withdrawn access: nothing written and nothing heard after the answer'),
        ...of('rooms/rights.test.ts', '[GW26] a right read before a change never overrides the one read after it'),
        ...of(ELSEWHERE, '[GW24] a role lowered elsewhere counts within a second at every door, by %s'),
      ],
    },
  ],
  A6: [{ by: of(REVOCATION, '[GW27] a banned person is not let in again by recovering a connection') }],
  A7: [
    { by: of(SYNC, '[PL4] frames in the packet of the handshake are taken like any others') },
    {
      by: of(
        UPGRADE,
        '[GW14] 1,000 %s frames sent while a slow check of a bad token goes on: none counts, and none is kept',
        '[GW14] who says nothing at all is let go in five seconds, and traffic does not put it off',
      ),
    },
  ],
  A8: [
    {
      by: [
        ...of(
          EMBEDDED,
          '[ID2] a planted session is not taken over: the sign-in gives a new one and ends the old',
          '[ID2] the session cookie is HttpOnly, Lax, for the whole site, and its secret is nowhere stored',
        ),
        ...of(BAD_TOKENS, '[ID94] a session’s secret is no token, not even while its cookie is in use'),
      ],
    },
  ],
  A9: [
    {
      by: [
        ...of(HTTP, '[HT7] calls by cookie that change something come from our own pages'),
        ...of(EMBEDDED, '[ID5] the login form is refused from another site, and without the cookie of its sign-in'),
        ...of(ORIGINS, '[ID50] %s with %j: own %s'),
      ],
    },
    {
      by: of(
        HARDENING,
        '[HT14] a page elsewhere can make a signed-in browser change nothing, on any route',
        '[HT15] reading changes nothing, on any route',
      ),
    },
  ],
  C1: [
    {
      by: of(
        FLOODS,
        '[GW8] %s: the socket is ended within two seconds, and nobody else notices',
        '[GW9] an unknown event costs ten: six are answered, the seventh ends the socket, other sockets stay',
      ),
    },
  ],
  C2: [
    { by: of(GATEWAY, '[GW2] raw packets that no client library would write') },
    { by: of(UPGRADE, '[GW15] %s: the %s line is closed, and memory stays') },
  ],
  C3: [
    { by: of(GATEWAY, '[GW2] no payload, however odd, ends more than its own request') },
    {
      by: of(
        WRAPPER,
        '[GW2] %s: one answer, without the cause',
        '[GW2] without an acknowledgement a failure ends nothing either',
      ),
    },
  ],
  C4: [
    {
      by: [
        ...of(HTTP, '[HT2] bad bodies are told apart, and change nothing'),
        ...of(GATEWAY, '[GW2] raw packets that no client library would write'),
      ],
    },
    {
      by: of(
        PROTOTYPE,
        '[GW16] is 400 on every event',
        '[HT18] is 400 as a body of every route, and as a query; doors that take something else are as without it',
      ),
    },
  ],
  C5: [
    {
      by: of(
        GATEWAY,
        '[GW1] an unknown event is answered, not obeyed',
        '[GW6] a person has at most ten sockets: the oldest makes room',
        '[GW7] a person may watch 200 others and no more',
      ),
    },
    { by: of(SIGHTS, '[FE1-9] 10,000 subscriptions, of anything a client may name, add no room') },
  ],
  C6: [
    {
      by: [
        ...of(
          'domain/listens/listens.test.ts',
          '[LP2] another person’s session is not there',
          '[LP5] the future is refused, and leaves nothing',
          '[LP2] the same start twice, or ten times at once, is one session',
        ),
        ...of(
          'domain/listens/listens.rules.test.ts',
          '[LP4] whatever is reported, in whatever order: never more than wall time × rate, nor than the track',
        ),
        ...of(
          FAKED,
          '[C6] a session of somebody else is 404 at every door, and stays as it is',
          '[C6] ${FAKES} listens made up within a minute are plays of no length, and sent again they are the same',
        ),
      ],
    },
  ],
  E1: [
    {
      by: [
        ...of(
          HTTP,
          '[HT4] every route of a list: 404 to strangers, 403 to viewers who would change it, and nothing changed',
          '[HT2] bad bodies are told apart, and change nothing',
        ),
        ...of(
          MANAGE,
          '[ID98] a session is named and ended by its owner alone: to others it is not there, and nothing changes',
          '[ID99] another’s device is not there: no name, no end, no change',
          '[ID100] another’s token is not there; revoked is revoked, one or all, told and written down',
        ),
      ],
    },
  ],
  E2: [{ by: of(HTTP, '[HT1] nobody is answered who has not said who they are') }],
  E3: [
    {
      by: [
        ...of(
          MEDIA,
          '[LB23] only what lies under a root is opened: swapped links, vanished files and strange ids are 404',
        ),
        ...of(
          'domain/library/scan-library.test.ts',
          '[LB1] links are followed under a root only, files reached twice are one track, dangling links are reported',
        ),
        ...of(
          'domain/listens/listens.test.ts',
          '[LP10] a track is named by its id or by its exact path, and is looked up only',
        ),
      ],
    },
    { reason: 'playlists are not imported or exported as files yet', issue: 'import and export of playlists' },
  ],
  E4: [
    {
      by: of(
        MEDIA,
        '[LB21] the range %s of 1000 bytes is %s %s %s',
        '[LB24] at most eight streams a person; an aborted one gives its place and its file back',
        '[LB24] a reader that takes nothing is cut off',
      ),
    },
  ],
  E5: [
    {
      by: [
        ...of(MEDIA, '[LB8] no cover, a broken one and a bomb are 404, soon, and the next one still works'),
        ...of(
          'server/http/avatars.test.ts',
          '[AV2] it is served to who is signed in, guests too, as nothing but a picture',
          '[AV6] orientation is applied, and nothing of what a camera wrote is left',
          '[AV6] a polyglot’s tail, a comment and a profile are gone',
          '[AV7] what is no picture of ours, or made to hurt, is refused within two seconds, and the server stays small',
          '[AV8] a decoder that dies is started again',
        ),
      ],
    },
  ],
  E6: [
    {
      by: of(
        OUTBOUND,
        '[ID61] an address a user gave never reaches %s',
        '[ID61] a name with one private address among public ones is refused, and is asked for once',
        '[ID61] what was checked is what is connected to: a name that changes its mind is not asked again',
        '[ID60] time, size and redirects are bounded',
      ),
    },
  ],
  E7: [
    {
      by: [
        ...of(ORIGINS, '[ID51] return_to %j leads to %s', '[ID51] a path that climbs into another host stays here'),
        ...of(EMBEDDED, '[ID5] what a person typed comes back as text, never as markup'),
      ],
    },
    {
      by: of(
        HARDENING,
        '[HT17] every document forbids scripts and styles within it, frames, and what a player has no use for',
      ),
    },
  ],
  E8: [
    { by: of(EMBEDDED, '[ID6] a lying Host or forwarded header changes no address the provider gives') },
    { by: of(LIMITED, '[HT10] a thousand tries to sign in under forged addresses are as limited as under one') },
  ],
  F1: [
    {
      by: [
        ...of(
          EMBEDDED,
          '[ID18] a state works once, in its own browser, with its own code',
          '[ID18] an expired state, a foreign code and a lying iss open nothing',
        ),
        ...of(
          OUTSIDE,
          '[ID31] an ID token with a foreign nonce, issuer, audience or past, and a lying callback, open nothing',
        ),
      ],
    },
    {
      by: of(
        'server/identity/provider-sessions.test.ts',
        '[ID52] by a form ends ours and goes on to the provider, which knows us by the ID token',
      ),
    },
    { reason: 'no integration links an account yet', issue: 'integrations' },
  ],
  F2: [
    {
      by: [
        ...of(
          BAD_TOKENS,
          '[ID91] every kind of bad access token at every door',
          '[ID91] a bad token in the place of another credential: address, ticket, cookie',
          '[ID91] none of them made anybody',
          '[ID95] bad personal API tokens at every door',
        ),
        ...of(TOKENS, '[ID41] refused: %s', '[ID40] taken: %s'),
      ],
    },
  ],
  F3: [
    { by: of(BAD_TOKENS, '[ID91] every kind of bad access token at every door') },
    {
      by: of(
        KEYCLOAK,
        '[ID41] of a second client are refused, with our audience and without',
        '[ID41] of our client without the audience mapper are refused',
      ),
    },
  ],
  F4: [
    {
      by: [
        ...of(
          FLOOD,
          '[ID97] provider %s: at most 3 fetches, good tokens go on',
          '[ID97] a key rotated amid the flood is taken within 11 s',
          '[ID97] a provider that was down at the start is found again by itself, amid the flood',
        ),
        ...of(
          TOKENS,
          '[ID44] a rotated key is taken within 11 s, and a removed one refused within 10 min',
          '[ID44] while the provider is down its last keys serve for a day',
          '[ID90] a token in constant use ends with its key too, within 10 min',
        ),
      ],
    },
  ],
  F5: [
    {
      by: [
        ...of(
          ACCOUNTS,
          '[ID11] an equal username and e-mail never hand over an account, whatever their case',
          '[ID11] the same subject of another issuer is another person',
          '[ID12] a subject that changes its name and e-mail keeps its account and username',
        ),
        ...of(OUTSIDE, '[ID11] another subject of the same name and e-mail is another person'),
      ],
    },
  ],
  F6: [
    {
      by: [
        ...of(
          'domain/accounts/accounts.rules.test.ts',
          '[F6] each of fifty lookalikes is refused beside the name it looks like: as a spelling, or as taken',
          '[ID73] %s would be taken for a reserved name',
          '[ID21] reserved names are refused, an office only to whoever does not hold it',
        ),
        ...of(
          'domain/accounts/passwords.test.ts',
          '[F6] of fifty pairs that look alike, the second is refused as taken or as a spelling, and makes nobody',
        ),
      ],
    },
  ],
  F7: [
    {
      by: [
        ...of(
          EMBEDDED,
          '[ID6] the provider offers nothing but the code flow with PKCE for our one client',
          '[ID7] keys are made once, readable by the owner alone, and differ between installations',
        ),
        ...of(
          'server/first-start.test.ts',
          '[F7] two have no secret in common, and keep theirs where only the owner reads',
          '[F7] no registration, no development pages; the link makes one account; a restart keeps keys and sessions',
          '[F7] of two people with the link at once, one becomes the administrator',
        ),
        ...of(ACCOUNTS, '[ID15] the stored hash is an argon2id PHC string of its own salt'),
        ...of(EMBEDDED, '[ID4] after five failures each further try waits longer; another name is not held up'),
      ],
    },
  ],
  F8: [
    {
      by: of(
        BACKCHANNEL,
        '[ID54] refused with 400, and nobody is signed out: each of what is no logout token',
        '[ID54] the same token twice is 400, in another process and after a restart too',
        '[ID55] an unknown sid is 200 and signs nobody out',
      ),
    },
  ],
  G1: [
    {
      by: [
        ...of(
          'domain/accounts/second-factor.test.ts',
          '[G1] the secret and the recovery codes are nowhere in the database as they are',
          '[G1] secrets swapped between two rows open neither account, and one changed byte opens nothing',
        ),
        ...of(
          'server/secrets.test.ts',
          '[AD10] moved to another person, table or column it does not open',
          '[AD10] with any one byte changed it does not open',
          '[AD10] without its key it is locked, which is no error',
        ),
        ...of(
          'domain/admin/rotate-keys.test.ts',
          '[AD10] two rows that were swapped do not open, are reported, and stay',
          '[AD12] every column that holds something sealed is known to it',
          '[AD12] with traffic: nothing fails to open, nothing newer is lost, nothing of the old key is left',
        ),
        ...of(
          'server/cli.test.ts',
          '[AD12] a server whose key is lost starts, what it sealed is locked, and the key put back opens it',
        ),
      ],
    },
  ],
  G2: [{ reason: 'no integration keeps a token yet', issue: 'integrations' }],
  G3: [
    {
      by: [
        ...of(BAD_TOKENS, '[ID96] none of them is in any line of the log, not even in parts'),
        ...of(EMBEDDED, '[ID8] nothing of a sign-in is logged: no password, cookie, token or e-mail'),
        ...of(OUTSIDE, '[ID8] no token, code, secret or e-mail is in the log'),
        ...of('server/main.test.ts', '[OP1] a password in a setting is not repeated'),
        ...of(
          CANARY,
          '[HT19] with accounts of this server: none in the log, in a refusal, or in what is open to all; no token in a browser',
          '[HT19] with a provider elsewhere: no token of its in the log or a browser, no address of a person in the log',
        ),
      ],
    },
  ],
  R1: [
    {
      by: [
        ...of(
          KILLED,
          '[OP21] nothing that was acknowledged is lost, nothing is doubled, and each start is ready within five seconds',
        ),
        ...of('db/writer.test.ts', '[DB2] commits with full sync in WAL, enforces references, and reads elsewhere'),
        ...of(LOCKED, '[OP20] every connection of ours syncs fully at commit, in WAL, and only one waits for a lock'),
      ],
    },
  ],
  R2: [
    {
      by: of(
        KEYED,
        '[R2] 1,000 listens by 20 clients over a line that breaks before, after and amid answers are 1,000',
        '[HT20] the same call twice, or twenty times at once, is done once and answered alike',
        '[HT20] a key is its person’s own, and means one thing',
        '[HT20] it is known for 8 days, and after a restart',
        '[HT20] an edit of a list is marked in the transaction that stores it',
      ),
    },
  ],
  R3: [
    {
      by: of(
        'rooms/feed-room.test.ts',
        '[FE1-7] 200 cuts of up to five minutes, with restarts and lost answers amid: every item once and in order',
        '[FE1-6] a cursor of more than 30 days says so, and only such a one',
      ),
    },
  ],
  R4: [
    {
      by: of(
        'fuzz/convergence.test.ts',
        '[PL50] ${seeds} seeds × ${CLIENTS} clients × ${OPERATIONS} operations, with cuts, reloads and compaction, end in one list everywhere',
      ),
    },
  ],
  R6: [
    { by: of(FULL, '[OP22] writes are 507 and never acknowledged, reads and sockets go on, and it heals by itself') },
  ],
  R7: [
    {
      by: of(
        LOCKED,
        '[OP20] writes wait five seconds at most and are 503; reads and sockets go on; it heals by itself, and nothing is lost',
      ),
    },
  ],
  R8: [
    {
      by: [
        ...of(
          SLOW,
          '[GW40] at 1,000 notices a second the slow are let go, memory stays, and others do not notice',
          '[GW40] is let go after ten seconds in which nothing of it was taken',
          '[GW11] is let go once 1 MiB waits for them, small packets counted for what they take',
        ),
        ...of(
          FLOODS,
          '[GW11] one who does not read is let go before what waits for them grows; one who does gets everything',
        ),
      ],
    },
  ],
  R9: [
    {
      by: of(
        'faults/reconnect.test.ts',
        '[OP26] are all back, in their own rooms and no others, without a stall or a rush on the provider',
      ),
    },
  ],
  R10: [
    {
      by: [
        ...of(
          FAKED,
          '[R10] what a client says of the time is taken, corrected or refused, and nothing lies in the future',
        ),
        ...of('domain/listens/listens.test.ts', '[LP5] the future is refused, and leaves nothing'),
      ],
    },
  ],
  R13: [
    {
      by: of(
        STOPPED,
        '[OP23] at ${PER_SECOND} calls a second and ${PEOPLE * SOCKETS_EACH} sockets: unready at once, all told, nothing acknowledged lost, 0 within ten seconds',
        '[OP23] a line that was refused and is held open from the other end does not hold it up',
        '[OP23] a second signal ends it at once',
      ),
    },
  ],
  R19: [{ by: of(GATEWAY, '[GW2] no payload, however odd, ends more than its own request') }],
};
