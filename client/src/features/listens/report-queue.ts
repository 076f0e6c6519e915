import type { RequestName, RequestPayload } from '#contract/gateway.ts';

/** The reports a player makes, each named as its socket event. */
export type ReportName = Exclude<Extract<RequestName, `listen:${string}`>, 'listen:batch'>;
export type Report = {
  [N in ReportName]: { id: string; name: N; payload: Omit<RequestPayload<N>, 'sent_at_ms'> };
}[ReportName];

/** What became of sending one. */
export type SendResult = { kind: 'sent' } | { kind: 'later'; after_ms: number } | { kind: 'refused'; why: string };

/** Where waiting reports are kept over a reload and a closed tab. */
export interface ReportStore {
  /** What an earlier visit left, in order. */
  read(): Promise<Report[]>;
  add(report: Report): Promise<void>;
  remove(ids: readonly string[]): Promise<void>;
}

export interface ReportQueueParts {
  /** Sends some reports in order; one result for each. */
  send(reports: readonly Report[]): Promise<SendResult[]>;
  store: ReportStore;
  /** Waits, and can be cut short by `wake`. */
  delay(ms: number): Promise<void>;
  onchange(): void;
  onrefused(report: Report, why: string): void;
  /** Nothing can be kept on this device: what waits is lost if the page is closed. */
  onunkept(error: unknown): void;
}

/** Reports kept at most; far more than an evening offline makes. */
const MAX_WAITING = 5_000;
/** What one batch may hold (contract §4), with room for its wrapping. */
const BATCH_MAX = 100;
const BATCH_CHARACTERS = 40 * 1024;

/** The reports that go together: as many as a batch holds, from the front. */
export function nextBatch(waiting: readonly Report[]): Report[] {
  const batch: Report[] = [];
  let size = 0;
  for (const report of waiting.slice(0, BATCH_MAX)) {
    size += JSON.stringify(report).length;
    if (batch.length > 0 && size > BATCH_CHARACTERS) break;
    batch.push(report);
  }
  return batch;
}

/**
 * Sends reports in order, each kept until it is acknowledged. One that is refused for good is dropped and told; one that
 * may succeed later holds back those behind it, because the server takes them in order. Sending one twice does no harm.
 */
export class ReportQueue {
  #waiting: Report[] = [];
  #parts: ReportQueueParts;
  #running = false;
  #paused = true;
  #isRead = false;
  #wake: (() => void) | null = null;

  constructor(parts: ReportQueueParts) {
    this.#parts = parts;
    void this.#read();
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** How many plays the waiting reports are of. */
  get plays(): number {
    return new Set(
      this.#waiting.map(({ name, payload }) =>
        name === 'listen:start' ? payload.client_session_id : payload.session_id,
      ),
    ).size;
  }

  /** What waits, from the front. */
  peek(count: number): readonly Report[] {
    return this.#waiting.slice(0, count);
  }

  /** Adds a report behind all others. */
  add(report: Report): void {
    this.#waiting.push(report);
    const dropped = this.#waiting.length > MAX_WAITING ? this.#waiting.shift() : undefined;
    this.#keep(this.#parts.store.add(report));
    if (dropped) this.#keep(this.#parts.store.remove([dropped.id]));
    this.#parts.onchange();
    void this.#run();
  }

  /** The line is there, or the page is about to be hidden: send what waits, now. */
  resume(): void {
    this.#paused = false;
    this.#wake?.();
    void this.#run();
  }

  /** The line is gone: keep everything. */
  pause(): void {
    this.#paused = true;
  }

  async #read(): Promise<void> {
    try {
      const left = await this.#parts.store.read();
      const here = new Set(this.#waiting.map((report) => report.id));
      this.#waiting.unshift(...left.filter((report) => !here.has(report.id)));
    } catch (error) {
      this.#parts.onunkept(error);
    }
    this.#isRead = true;
    this.#parts.onchange();
    void this.#run();
  }

  #keep(done: Promise<void>): void {
    done.catch((error: unknown) => this.#parts.onunkept(error));
  }

  async #run(): Promise<void> {
    // What an earlier visit left comes first.
    if (this.#running || this.#paused || !this.#isRead) return;
    this.#running = true;
    try {
      while (this.#waiting.length > 0 && !this.#paused) {
        const batch = nextBatch(this.#waiting);
        const waitMs = this.#settle(batch, await this.#parts.send(batch));
        if (waitMs === null) continue;
        if (this.#paused) break;
        await Promise.race([this.#parts.delay(waitMs), new Promise<void>((resolve) => (this.#wake = resolve))]);
        this.#wake = null;
      }
    } finally {
      this.#running = false;
    }
  }

  /** Takes out what is done with. @returns how long to wait before the rest is tried again; null: not at all */
  #settle(batch: readonly Report[], results: readonly SendResult[]): number | null {
    const done: string[] = [];
    let waitMs: number | null = null;
    for (const [i, report] of batch.entries()) {
      const result = results[i];
      if (result === undefined || result.kind === 'later') {
        waitMs = result?.after_ms ?? 0;
        break;
      }
      if (result.kind === 'refused') this.#parts.onrefused(report, result.why);
      done.push(report.id);
    }
    const gone = new Set(done);
    this.#waiting = this.#waiting.filter((report) => !gone.has(report.id));
    if (done.length > 0) {
      this.#keep(this.#parts.store.remove(done));
      this.#parts.onchange();
    }
    return waitMs;
  }
}
