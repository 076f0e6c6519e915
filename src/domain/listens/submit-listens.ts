import { tellListen } from '../feed/listen-news.ts';
import { inTransaction } from '../unit-of-work.ts';
import { prepareListens } from './record-listens.ts';
import { lengthMs, recordingId, recordingKey } from './recordings.rules.ts';
import { findTracks } from './match-recordings.ts';
import type { Actor, Ctx } from '../context.ts';
import type { Recorded, ToldBy, WholeListen } from './record-listens.ts';
import type { Submission, SubmittedListen } from './listenbrainz.rules.ts';

/** Names of what plays now in another program: there is one at a time for a person. */
const nowId = (recording_id: string) => `told:${recording_id}`;

function toldBy({ info }: SubmittedListen): ToldBy {
  const name = [info.submission_client, info.media_player, info.music_service].find((one) => typeof one === 'string');
  return { ...(name === undefined ? {} : { name: name as string }), info };
}

/**
 * Takes what a ListenBrainz program submits: listens are on disk when this resolves, each once; what is playing now is shown to
 * those who may see it and never stored.
 * @returns what ListenBrainz calls the recording, of the first
 * @throws DomainError unavailable, disk_full
 */
export async function submitListens(
  ctx: Ctx,
  actor: Actor,
  { listen_type, listens }: Submission,
): Promise<{ recording_msid: string }> {
  const first = listens[0]!;
  const recording_msid = recordingId(recordingKey(first));
  // A guest's reports are accepted, shown to nobody and not stored (contract §2).
  if (actor.role === 'guest') return { recording_msid };
  if (listen_type === 'playing_now') {
    await tellNow(ctx, actor, first, recording_msid);
    return { recording_msid };
  }
  const wanted = listens.flatMap((listen): WholeListen[] => {
    const { listened_at, unwanted } = listen;
    if (listened_at === null || unwanted !== null) return [];
    return [
      {
        ...listen,
        listened_at,
        precision_s: 1,
        is_hidden: false,
        counts: () => true,
        was_skipped: false,
        told_by: toldBy(listen),
      },
    ];
  });
  if (wanted.length === 0) return { recording_msid };
  const record = await prepareListens(ctx, actor.user_id, wanted, { source: 'api' });
  const recorded = await inTransaction(ctx, async (tx) => {
    const outcome = await record(tx);
    for (const one of outcome) {
      if (one.is !== 'new' || listen_type !== 'single') continue;
      const { session_id, track } = one;
      if (!one.counted) continue;
      await tellListen(tx, { session_id, user_id: actor.user_id });
      tx.publish({
        name: 'listen.recorded',
        payload: { user_id: actor.user_id, session_id, track_id: track?.id ?? null },
      });
    }
    return outcome;
  });
  if (listen_type === 'single') await endNow(ctx, actor, wanted[0]!, recorded[0]!);
  return { recording_msid };
}

/** [LBZ1-8] Shows what is playing now, like a report of our own player at its beginning. */
async function tellNow(ctx: Ctx, actor: Actor, listen: SubmittedListen, recording_id: string): Promise<void> {
  const [track] = await findTracks(ctx.db, [listen]);
  const { title, artist, album, duration_ms } = listen;
  const duration = duration_ms === null ? (track?.duration ?? null) : duration_ms / 1000;
  await ctx.events.publish({
    name: 'listen.progressed',
    payload: {
      user_id: actor.user_id,
      username: actor.username,
      session_id: nowId(recording_id),
      is_stored: false,
      track_id: track?.id ?? null,
      text: { title, artist, album, duration },
      track_duration: duration,
      position_ms: 0,
      at_ms: ctx.clock.nowMs(),
      rate: 1,
      state: 'playing',
    },
  });
}

/** [LBZ1-8] The listen that follows ends what was playing now, unless it is told while the track still plays. */
async function endNow(ctx: Ctx, actor: Actor, listen: WholeListen, { recording_id, track }: Recorded): Promise<void> {
  const durationMs = lengthMs(listen, track);
  const nowMs = ctx.clock.nowMs();
  if (durationMs !== null && listen.listened_at * 1000 + durationMs > nowMs) return;
  await ctx.events.publish({
    name: 'listen.progressed',
    payload: {
      user_id: actor.user_id,
      username: actor.username,
      session_id: nowId(recording_id),
      is_stored: false,
      track_id: track?.id ?? null,
      track_duration: durationMs === null ? null : durationMs / 1000,
      position_ms: durationMs ?? 0,
      at_ms: nowMs,
      rate: 1,
      state: 'stopped',
    },
  });
}
