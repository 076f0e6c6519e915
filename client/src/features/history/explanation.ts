import { clockTime } from '../../lib/format.ts';
import type { CountReason, getListenSession } from '#contract/listens.ts';
import type { listeningEn } from '../../lib/messages/listening.en.ts';
import type { z } from 'zod';

export type Explained = z.infer<(typeof getListenSession)['reply']>;
type Words = (typeof listeningEn)['why'];

/** Which rule decided, in the reader's own words. */
export function reasonText(
  words: Words,
  { reason, covered_ms, needed_ms }: { reason: CountReason; covered_ms: number; needed_ms: number | null },
): string {
  switch (reason) {
    case 'heard_enough':
    case 'heard_too_little':
      return words.reason[reason](clockTime(covered_ms / 1000), clockTime((needed_ms ?? 0) / 1000));
    default:
      return words.reason[reason];
  }
}

export interface Stretch {
  /** Parts of the whole, 0 to 1. */
  from: number;
  to: number;
}

/** Heard parts as stretches of a bar, and how much of it they are; a track without a known length ends where hearing ended. */
export function stretchesOf(
  spans: readonly { from_ms: number; to_ms: number }[],
  duration: number | null,
): { stretches: Stretch[]; share: number; lengthMs: number } {
  const lengthMs = Math.max(duration === null ? 0 : duration * 1000, ...spans.map((span) => span.to_ms));
  if (lengthMs <= 0) return { stretches: [], share: 0, lengthMs: 0 };
  const stretches = spans.map(({ from_ms, to_ms }) => ({ from: from_ms / lengthMs, to: to_ms / lengthMs }));
  const share = stretches.reduce((sum, { from, to }) => sum + to - from, 0);
  return { stretches, share: Math.min(1, share), lengthMs };
}
