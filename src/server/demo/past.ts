/** What has happened before the demo begins: five people, whom they follow, a year of listening, three playlists. */
import { createLocalAccount } from '#domain/accounts/create-local-account.ts';
import { updateProfile } from '#domain/accounts/update-profile.ts';
import { createEventBus } from '#domain/events.ts';
import { completeListen } from '#domain/listens/report-progress.ts';
import { startListen } from '#domain/listens/start-listen.ts';
import { setCollaborator } from '#domain/playlists/collaborators.ts';
import { createPlaylist } from '#domain/playlists/create-playlist.ts';
import { addTracks } from '#domain/playlists/edit-tracks.ts';
import { followUser } from '#domain/social/follow-user.ts';
import { seeded } from './seeded.ts';
import type { Actor, Ctx } from '#domain/context.ts';
import type { Track } from '#contract/library.ts';

const DAY_MS = 24 * 3600_000;
const DAYS = 365;
/** Listens stored at once: enough to fill a group commit, few enough to leave the server room. */
const AT_ONCE = 64;

interface DemoPerson {
  username: string;
  display_name: string;
  role: 'admin' | 'user';
  bio: string;
  location: string;
  privacy_level: 0 | 1 | 2;
  share_listening_history: boolean;
  follows: readonly string[];
  /** What they like to hear. */
  genres: readonly string[];
  /** Listens on an ordinary day, at most. */
  aDay: number;
}

/** Every kind of privacy there is: `robin` sees mira, tomas and june live, and nothing of sol. */
export const PEOPLE: readonly DemoPerson[] = [
  {
    username: 'robin',
    display_name: 'Robin Ferro',
    role: 'admin',
    bio: 'Looks after this server.',
    location: '',
    privacy_level: 1,
    share_listening_history: true,
    follows: ['mira', 'tomas', 'june', 'sol'],
    genres: ['Indie', 'Folk'],
    aDay: 4,
  },
  {
    username: 'mira',
    display_name: 'Mira Kask',
    role: 'user',
    bio: 'Plays the same album for a week, then never again.',
    location: 'Tallinn',
    privacy_level: 2,
    share_listening_history: true,
    follows: ['robin', 'tomas', 'june'],
    genres: ['Indie', 'Electronic'],
    aDay: 6,
  },
  {
    username: 'tomas',
    display_name: 'Tomás Rey',
    role: 'user',
    bio: 'Jazz before noon.',
    location: 'Valencia',
    privacy_level: 1,
    share_listening_history: true,
    follows: ['robin', 'mira'],
    genres: ['Jazz', 'Ambient'],
    aDay: 5,
  },
  {
    username: 'june',
    display_name: 'June Abara',
    role: 'user',
    bio: 'Makes lists of lists.',
    location: 'Leeds',
    privacy_level: 2,
    share_listening_history: true,
    follows: ['mira', 'sol'],
    genres: ['Folk', 'Electronic'],
    aDay: 4,
  },
  {
    username: 'sol',
    display_name: 'Sol',
    role: 'user',
    bio: '',
    location: '',
    privacy_level: 0,
    share_listening_history: false,
    follows: ['june', 'robin'],
    genres: ['Ambient'],
    aDay: 3,
  },
];

interface DemoPlaylist {
  name: string;
  description: string;
  owner: string;
  members: Readonly<Record<string, 'editor' | 'viewer'>>;
  is_public: boolean;
  size: number;
}

/** The first one is edited live. */
const PLAYLISTS: readonly DemoPlaylist[] = [
  {
    name: 'Friday kitchen',
    description: 'Everybody adds, nobody skips.',
    owner: 'mira',
    members: { robin: 'editor', june: 'editor', tomas: 'viewer' },
    is_public: false,
    size: 10,
  },
  {
    name: 'Before noon',
    description: 'Quiet ones.',
    owner: 'tomas',
    members: { robin: 'viewer', mira: 'editor' },
    is_public: true,
    size: 8,
  },
  {
    name: 'My year',
    description: '',
    owner: 'robin',
    members: { june: 'viewer' },
    is_public: false,
    size: 14,
  },
];

/** The same context at another time, and unheard: what happened long ago is shown to nobody now. */
function at(ctx: Ctx, nowMs: number): Ctx {
  const silent = createEventBus((error, name) => ctx.log.error('a consequence of an event failed', { name }, error));
  return { ...ctx, clock: { nowMs: () => nowMs }, events: silent };
}

/** Makes the five people, a year ago. They all have the same password. */
export async function makePeople(ctx: Ctx, password: string, nowMs: number): Promise<Map<string, Actor>> {
  const past = at(ctx, nowMs - (DAYS + 1) * DAY_MS);
  const people = new Map<string, Actor>();
  for (const { username, display_name, role } of PEOPLE) {
    const { user_id } = await createLocalAccount(past, { username, display_name, role, password });
    const credential = { kind: 'session', session_id: user_id, auth_time: Math.floor(nowMs / 1000) } as const;
    people.set(username, { user_id, username, role, provider_role: null, credential });
  }
  const actorOf = (username: string) => knownPerson(people, username);
  for (const { username, follows, bio, location, privacy_level, share_listening_history } of PEOPLE) {
    await updateProfile(past, actorOf(username), { bio, location, privacy_level, share_listening_history });
    for (const followed of follows) await followUser(past, actorOf(username), { user_id: actorOf(followed).user_id });
  }
  return people;
}

function knownPerson(people: ReadonlyMap<string, Actor>, username: string): Actor {
  const actor = people.get(username);
  if (actor === undefined) throw new Error(`${username} is not one of the demo's people`);
  return actor;
}

/**
 * Plays a year of music through the commands that take live reports, each with the clock of its moment: days differ,
 * evenings are busy, tastes show, and now and then a track is skipped.
 */
export async function playTheYear(
  ctx: Ctx,
  people: ReadonlyMap<string, Actor>,
  tracks: readonly Track[],
  nowMs: number,
): Promise<number> {
  const plays: { actor: Actor; track: Track; atMs: number; heardMs: number }[] = [];
  for (const [i, person] of PEOPLE.entries()) {
    const chance = seeded(1000 + i);
    const actor = knownPerson(people, person.username);
    const liked = tracks.filter((track) => track.genre !== null && person.genres.includes(track.genre));
    for (let day = DAYS; day >= 1; day--) {
      let atMs = nowMs - day * DAY_MS + chance.between(7, 15) * 3600_000;
      for (let n = chance.between(0, person.aDay); n > 0; n--) {
        const track = chance.next() < 0.75 ? chance.pick(liked) : chance.pick(tracks);
        const lengthMs = (track.duration ?? 40) * 1000;
        const heardMs = Math.round(chance.next() < 0.12 ? lengthMs * 0.3 * chance.next() : lengthMs);
        plays.push({ actor, track, atMs, heardMs });
        atMs += lengthMs + chance.between(5, 3600) * 1000;
      }
    }
  }
  const due = plays.filter((play) => play.atMs + play.heardMs < nowMs - 60_000).values();
  let played = 0;
  const worker = async () => {
    for (const { actor, track, atMs, heardMs } of due) {
      const { session_id } = await startListen(at(ctx, atMs), actor, {
        track_id: track.id,
        position_ms: 0,
        source: 'web',
      });
      await completeListen(at(ctx, atMs + heardMs), actor, { session_id, seq: 1, position_ms: heardMs });
      played++;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return played;
}

/** Makes the playlists with their members. @returns the id of the one to be edited live */
export async function makePlaylists(
  ctx: Ctx,
  people: ReadonlyMap<string, Actor>,
  tracks: readonly Track[],
  nowMs: number,
): Promise<string> {
  const chance = seeded(77);
  const ids: string[] = [];
  for (const [i, { owner, members, size, ...input }] of PLAYLISTS.entries()) {
    const past = at(ctx, nowMs - (30 + 60 * i) * DAY_MS);
    const actor = knownPerson(people, owner);
    const { id } = await createPlaylist(past, actor, { ...input, is_collaborative: true });
    ids.push(id);
    for (const [username, role] of Object.entries(members)) {
      await setCollaborator(past, actor, { id, user_id: knownPerson(people, username).user_id, role });
    }
    const editors = [owner, ...Object.keys(members).filter((name) => members[name] === 'editor')];
    const shuffled = [...tracks].map((track) => ({ track, at: chance.next() })).sort((a, b) => a.at - b.at);
    for (const [n, { track }] of shuffled.slice(0, size).entries()) {
      const editor = knownPerson(people, editors[n % editors.length] ?? owner);
      await addTracks(at(ctx, nowMs - (29 + 60 * i - n) * DAY_MS), editor, { id, track_ids: [track.id] });
    }
  }
  const [live] = ids;
  if (live === undefined) throw new Error('the demo has no playlist');
  return live;
}
