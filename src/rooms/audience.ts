import { DomainError } from '#domain/errors.ts';
import { canSee, sightsOf } from '#domain/social/social.access.ts';
import { followeeIds, followerIds } from '#domain/social/social.queries.ts';
import type { Ctx } from '#domain/context.ts';
import type { Audience, Broadcaster } from './broadcaster.ts';

/** Who hears whom: derived from follows, watches and privacy, and derived anew whenever one of them changes. */
export interface Audiences {
  /** Makes a person's sockets hear exactly what they may; resolves when they do. */
  refresh(viewer_id: string): Promise<void>;
  /** As `refresh`, for everybody online who follows or watches this person. */
  refreshViewersOf(owner_id: string): Promise<void>;
  /** Resolves once a viewer who has just come hears what they may. */
  ready(viewer_id: string): Promise<void>;
  watch(viewer_id: string, owner_id: string): Promise<void>;
  unwatch(viewer_id: string, owner_id: string): Promise<void>;
  /** The last socket of a viewer is gone. */
  forget(viewer_id: string): void;
}

/** People one viewer may watch at once beside those they follow. */
const WATCH_MAX = 200;

export function createAudiences(ctx: Ctx, broadcaster: Broadcaster): Audiences {
  const watching = new Map<string, Set<string>>();
  /** Whose sockets hear what they may. */
  const derived = new Set<string>();
  /** Per viewer, so that the last refresh asked for is the last to take effect. */
  const turns = new Map<string, Promise<void>>();

  async function derive(viewer_id: string): Promise<void> {
    const owners = new Set([...(await followeeIds(ctx.db, viewer_id)), ...(watching.get(viewer_id) ?? [])]);
    owners.delete(viewer_id);
    const audiences = new Set<Audience>();
    for (const [owner_id, sight] of await sightsOf(ctx, viewer_id, [...owners])) {
      if (canSee(sight, 'listening')) audiences.add(`listening:${owner_id}`);
      if (canSee(sight, 'presence')) audiences.add(`presence:${owner_id}`);
      if (sight.follows && canSee(sight, 'history')) audiences.add(`feed:${owner_id}`);
    }
    broadcaster.setAudiences(viewer_id, audiences);
    derived.add(viewer_id);
  }

  function refresh(viewer_id: string): Promise<void> {
    const before = turns.get(viewer_id) ?? Promise.resolve();
    const turn = before.then(
      () => derive(viewer_id),
      () => derive(viewer_id),
    );
    turns.set(viewer_id, turn);
    return turn.finally(() => {
      if (turns.get(viewer_id) === turn) turns.delete(viewer_id);
    });
  }

  return {
    refresh,
    async refreshViewersOf(owner_id) {
      const online = new Set(broadcaster.onlineUsers());
      const viewers = new Set((await followerIds(ctx.db, owner_id)).filter((id) => online.has(id)));
      for (const [viewer_id, owners] of watching) if (owners.has(owner_id)) viewers.add(viewer_id);
      await Promise.all([...viewers].map(refresh));
    },
    async watch(viewer_id, owner_id) {
      const mine = watching.get(viewer_id) ?? new Set();
      if (mine.size >= WATCH_MAX && !mine.has(owner_id)) {
        throw new DomainError('too_many', `You can watch ${WATCH_MAX} people at once. Stop watching somebody first.`);
      }
      mine.add(owner_id);
      watching.set(viewer_id, mine);
      await refresh(viewer_id);
    },
    async unwatch(viewer_id, owner_id) {
      watching.get(viewer_id)?.delete(owner_id);
      await refresh(viewer_id);
    },
    async ready(viewer_id) {
      if (!derived.has(viewer_id)) await (turns.get(viewer_id) ?? refresh(viewer_id));
    },
    forget(viewer_id) {
      watching.delete(viewer_id);
      derived.delete(viewer_id);
    },
  };
}
