import type { RequestName, RequestPayload } from '#contract/gateway.ts';

/** The reports a player makes, each named as its socket event. */
export type ReportName = Exclude<Extract<RequestName, `listen:${string}`>, 'listen:batch'>;
export type Report = {
  [N in ReportName]: { id: string; name: N; payload: Omit<RequestPayload<N>, 'sent_at_ms'> };
}[ReportName];

/** What became of sending one. */
export type SendResult = { kind: 'sent' } | { kind: 'later'; after_ms: number } | { kind: 'refused'; why: string };

/** Where waiting reports are kept over a reload. */
export interface ReportStore {
  read(): Report[];
  write(reports: readonly Report[]): void;
}

export interface ReportQueueParts {
  send(report: Report): Promise<SendResult>;
  store: ReportStore;
  /** Waits, and can be cut short by `wake`. */
  delay(ms: number): Promise<void>;
  onchange(waiting: number): void;
  onrefused(report: Report, why: string): void;
}

/** Reports kept at most; far more than an evening offline makes. */
const MAX_WAITING = 5_000;

/**
 * Sends reports one after the other, in order, each until it is acknowledged. One that is refused for good is dropped
 * and told; one that may succeed later holds the others back, because the server takes them in order.
 */
export class ReportQueue {
  #waiting: Report[];
  #parts: ReportQueueParts;
  #running = false;
  #paused = true;
  #wake: (() => void) | null = null;

  constructor(parts: ReportQueueParts) {
    this.#parts = parts;
    this.#waiting = parts.store.read();
    parts.onchange(this.#waiting.length);
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Adds a report behind all others. */
  add(report: Report): void {
    this.#waiting.push(report);
    if (this.#waiting.length > MAX_WAITING) this.#waiting.shift();
    this.#changed();
    void this.#run();
  }

  /** The line is there: send what waits. */
  resume(): void {
    this.#paused = false;
    this.#wake?.();
    void this.#run();
  }

  /** The line is gone: keep everything. */
  pause(): void {
    this.#paused = true;
  }

  async #run(): Promise<void> {
    if (this.#running || this.#paused) return;
    this.#running = true;
    try {
      let report = this.#waiting[0];
      while (report && !this.#paused) {
        const result = await this.#parts.send(report);
        if (result.kind === 'later') {
          if (this.#paused) break;
          await Promise.race([
            this.#parts.delay(result.after_ms),
            new Promise<void>((resolve) => (this.#wake = resolve)),
          ]);
          this.#wake = null;
        } else {
          // By identity: the list may have grown, and its head been thinned, meanwhile.
          const at = this.#waiting.indexOf(report);
          if (at >= 0) this.#waiting.splice(at, 1);
          if (result.kind === 'refused') this.#parts.onrefused(report, result.why);
          this.#changed();
        }
        report = this.#waiting[0];
      }
    } finally {
      this.#running = false;
    }
  }

  #changed(): void {
    this.#parts.store.write(this.#waiting);
    this.#parts.onchange(this.#waiting.length);
  }
}
