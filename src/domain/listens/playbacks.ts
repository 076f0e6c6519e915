import type { Playback } from './listens.rules.ts';

/** Playbacks remembered at once, in all of this process; beyond it the one touched longest ago is read again when needed. */
const KEPT = 20_000;

/** One session under way, as its rows will be once what is on its way to the disk has arrived. */
export interface LivePlayback {
  session_id: string;
  client_session_id: string | null;
  user_id: string;
  track_id: string;
  /** Seconds; null when unknown. */
  track_duration: number | null;
  /** The day it belongs to by its listener's calendar. */
  local_day: number;
  counted: boolean;
  playback: Playback;
  /** Of the last write that was made for it. */
  revision: number;
  /** A write whose turn has not come, so that further reports go with it; whether it was taken. */
  waiting: Promise<boolean> | null;
  /** The last write of it; when that fails, what is remembered is ahead of the disk and is forgotten. */
  stored: Promise<unknown>;
}

/**
 * The sessions under way in this process, so that a report costs one statement and no question. The database has the last
 * word: every write says which revision it builds on, and is refused when another process has moved the session on.
 */
export interface Playbacks {
  /** By our id or by the client's own. */
  find(user_id: string, session_id: string): LivePlayback | undefined;
  keep(live: LivePlayback): void;
  forget(live: LivePlayback): void;
  /** Sessions of this person are about to be deleted or changed elsewhere. */
  forgetPerson(user_id: string): void;
}

const keyOf = (user_id: string, client_session_id: string): string => `${user_id} ${client_session_id}`;

export function createPlaybacks(): Playbacks {
  const byId = new Map<string, LivePlayback>();
  /** Two people's clients may have had the same idea. */
  const byClient = new Map<string, LivePlayback>();

  function forget(live: LivePlayback): void {
    if (byId.get(live.session_id) === live) byId.delete(live.session_id);
    if (live.client_session_id === null) return;
    const key = keyOf(live.user_id, live.client_session_id);
    if (byClient.get(key) === live) byClient.delete(key);
  }

  return {
    find(user_id, session_id) {
      const live = byId.get(session_id);
      return live?.user_id === user_id ? live : byClient.get(keyOf(user_id, session_id));
    },
    keep(live) {
      if (byId.size >= KEPT) {
        const oldest = byId.values().next();
        if (!oldest.done) forget(oldest.value);
      }
      byId.set(live.session_id, live);
      if (live.client_session_id !== null) byClient.set(keyOf(live.user_id, live.client_session_id), live);
    },
    forget,
    forgetPerson(user_id) {
      for (const live of byId.values()) if (live.user_id === user_id) forget(live);
    },
  };
}
