import { uuid } from '../../lib/ids.ts';
import { deviceZone } from '../../lib/zone.ts';
import type { Report } from './report-queue.ts';

type PlayState = 'playing' | 'paused';
export type AddReport = (report: Report) => void;

/**
 * One track played once, as the server hears of it: a start, then numbered positions, then the end. It is named by the
 * id made here, so that reports can wait in a queue before the server has given one (contract §3).
 */
export class Playback {
  readonly track_id: string;
  readonly #session_id = uuid();
  readonly #add: AddReport;
  readonly #now: () => number;
  #seq = 0;
  #state: PlayState = 'playing';
  #done = false;

  constructor(track_id: string, position_ms: number, add: AddReport, now: () => number = Date.now) {
    this.track_id = track_id;
    this.#add = add;
    this.#now = now;
    add({
      id: uuid(),
      name: 'listen:start',
      payload: {
        track_id,
        position_ms: whole(position_ms),
        source: 'web',
        client_session_id: this.#session_id,
        time_zone: deviceZone(),
        occurred_at_ms: now(),
      },
    });
  }

  /** How the server knows this play too. */
  get session_id(): string {
    return this.#session_id;
  }
  get state(): PlayState {
    return this.#state;
  }

  /** Where the player is, and whether it moves. */
  progress(position_ms: number, state: PlayState = this.#state): void {
    if (this.#done) return;
    this.#state = state;
    this.#add({
      id: uuid(),
      name: 'listen:progress',
      payload: {
        session_id: this.#session_id,
        seq: this.#seq++,
        position_ms: whole(position_ms),
        state,
        occurred_at_ms: this.#now(),
      },
    });
  }

  /** The player has left the track; nothing follows. */
  complete(position_ms: number): void {
    if (this.#done) return;
    this.#done = true;
    this.#add({
      id: uuid(),
      name: 'listen:complete',
      payload: {
        session_id: this.#session_id,
        seq: this.#seq++,
        position_ms: whole(position_ms),
        occurred_at_ms: this.#now(),
      },
    });
  }
}

function whole(position_ms: number): number {
  return Math.max(0, Math.round(position_ms));
}
