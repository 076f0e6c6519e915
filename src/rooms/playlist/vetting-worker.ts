/** Reads large updates beside the main thread (vetting.ts): one question, a word that it has begun, and the answer. */
import { parentPort } from 'node:worker_threads';
import { checkAlone, readUpdate, Refusal } from './referee.ts';
import type { CloseReason } from '#contract/close-codes.ts';

export interface VettingQuestion {
  id: number;
  bytes: Uint8Array;
}
export type VettingAnswer =
  { id: number; kind: 'begun' | 'passed' } | { id: number; kind: 'refused'; reason: CloseReason; detail: string };

if (parentPort === null) throw new Error('vetting-worker.ts runs as a worker thread only');
const port = parentPort;
const say = (answer: VettingAnswer) => port.postMessage(answer);

port.on('message', ({ id, bytes }: VettingQuestion) => {
  say({ id, kind: 'begun' });
  try {
    checkAlone(readUpdate(bytes));
    say({ id, kind: 'passed' });
  } catch (error) {
    const isRefusal = error instanceof Refusal;
    const detail = error instanceof Error ? (isRefusal ? error.message : error.name) : 'unreadable';
    say({ id, kind: 'refused', reason: isRefusal ? error.reason : 'malformed', detail });
  }
});
