export type FailureKind = 'missing' | 'unsupported' | 'network';

/** The address of a track's audio. */
export function streamAddress(track_id: string): string {
  return `/api/v1/library/tracks/${encodeURIComponent(track_id)}/stream`;
}

/** Why a stream could not be played: the audio element does not say, so the server is asked for the head of it. */
export async function failureOf(track_id: string): Promise<FailureKind> {
  try {
    const answer = await fetch(streamAddress(track_id), { method: 'HEAD', signal: AbortSignal.timeout(8_000) });
    if (answer.status === 404 || answer.status === 410) return 'missing';
    return answer.ok ? 'unsupported' : 'network';
  } catch {
    return 'network';
  }
}
