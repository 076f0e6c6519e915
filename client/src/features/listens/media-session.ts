import { session } from '../accounts/session.svelte.ts';
import type { Track } from '#contract/library.ts';

interface Controls {
  readonly position: number;
  readonly duration: number;
  play(): void;
  pause(): void;
  next(): void;
  previous(): void;
  seek(seconds: number): void;
  seekBy(seconds: number): void;
}

/** On iOS seek buttons push previous and next off the lock screen (design brief §9). */
const isIos = () =>
  /iPad|iPhone|iPod/.test(navigator.userAgent) || (navigator.platform === 'MacIntel' && navigator.maxTouchPoints > 1);

/** Lets headsets, media keys and the lock screen reach the player. */
export function connectMediaSession(controls: Controls): void {
  if (!('mediaSession' in navigator)) return;
  const media = navigator.mediaSession;
  media.setActionHandler('play', () => controls.play());
  media.setActionHandler('pause', () => controls.pause());
  media.setActionHandler('nexttrack', () => controls.next());
  media.setActionHandler('previoustrack', () => controls.previous());
  media.setActionHandler('seekto', ({ seekTime }) => seekTime !== undefined && controls.seek(seekTime));
  if (isIos()) return;
  media.setActionHandler('seekbackward', ({ seekOffset }) =>
    controls.seekBy(-(seekOffset ?? session.preferences.seek_step)),
  );
  media.setActionHandler('seekforward', ({ seekOffset }) =>
    controls.seekBy(seekOffset ?? session.preferences.seek_step),
  );
}

/** Tells the system what plays and where it is. */
export function showMediaSession(track: Track, controls: Controls): void {
  if (!('mediaSession' in navigator)) return;
  navigator.mediaSession.metadata = new MediaMetadata({
    title: track.title,
    artist: track.artist ?? '',
    album: track.album ?? '',
    artwork: track.has_cover
      ? [96, 320, 640].map((size) => ({
          src: `/api/v1/library/tracks/${encodeURIComponent(track.id)}/cover?size=${size}`,
          sizes: `${size}x${size}`,
        }))
      : [],
  });
  const { position, duration } = controls;
  if (duration > 0 && position <= duration) {
    navigator.mediaSession.setPositionState({ duration, position, playbackRate: 1 });
  }
}
