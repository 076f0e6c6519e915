/** Large updates are read in a thread of their own first, so that bytes made to be slow to read hold up nobody. */
import { Worker } from 'node:worker_threads';
import { Refusal } from './referee.ts';
import type { VettingAnswer, VettingQuestion } from './vetting-worker.ts';

/**
 * Larger updates go through the worker. Measured: handing one over costs the main thread 30 µs and the update 0.3 ms of waiting,
 * reading and judging 20 µs a KiB, so that up to here a hostile one costs little more than the way to the worker and back.
 */
export const LARGE_UPDATE_BYTES = 16 * 1024;
/** An update of 256 KiB is read in some 5 ms. */
const PATIENCE_MS = 250;
const MEMORY_MAX_MIB = 128;
/** A household's server has a large update once in a while; the thread is not kept for the next. */
const IDLE_MS = 30_000;

interface Asked {
  id: number;
  bytes: Uint8Array;
  resolve(): void;
  reject(refusal: Refusal): void;
}

export interface Vetting {
  /**
   * Reads an update apart and looks at what can be told without the document.
   * @throws Refusal malformed, schema; too_fast, to come again, when it takes longer or more memory than any honest one
   */
  vet(bytes: Uint8Array): Promise<void>;
}

/** A line of updates and the thread that reads them, which is started when there is one. `patienceMs` is for one update. */
export function createVetting({
  file = new URL('./vetting-worker.ts', import.meta.url),
  patienceMs = PATIENCE_MS,
}: { file?: URL; patienceMs?: number } = {}): Vetting {
  /** In order; the first is being read. */
  const line: Asked[] = [];
  let worker: Worker | null = null;
  let lastId = 0;
  let patience: NodeJS.Timeout | null = null;
  let idle: NodeJS.Timeout | null = null;

  function askFirst(): void {
    const [first] = line;
    if (idle !== null) clearTimeout(idle);
    idle = null;
    if (first === undefined) {
      idle = setTimeout(stop, IDLE_MS).unref();
      return;
    }
    worker ??= start();
    worker.postMessage({ id: first.id, bytes: first.bytes } satisfies VettingQuestion);
  }

  function start(): Worker {
    const started = new Worker(file, {
      resourceLimits: { maxOldGenerationSizeMb: MEMORY_MAX_MIB, maxYoungGenerationSizeMb: 16 },
    });
    started.unref();
    started.on('message', (answer: VettingAnswer) => {
      if (started !== worker || answer.id !== line[0]?.id) return;
      if (answer.kind === 'begun') {
        // Counted from here: a thread that has to start first is not the update's fault.
        patience = setTimeout(() => giveUp(started, 'reading it takes too long'), patienceMs);
        return;
      }
      settleFirst(answer.kind === 'refused' ? new Refusal(answer.reason, answer.detail) : null);
    });
    started.on('error', () => giveUp(started, 'reading it takes too much'));
    started.on('exit', () => giveUp(started, 'reading it has ended'));
    return started;
  }

  function settleFirst(refusal: Refusal | null): void {
    if (patience !== null) clearTimeout(patience);
    patience = null;
    const first = line.shift();
    if (refusal === null) first?.resolve();
    else first?.reject(refusal);
    askFirst();
  }

  /** Ends a thread with what it reads; the next in line gets another. */
  function giveUp(from: Worker, detail: string): void {
    if (from !== worker) return;
    stop();
    if (line.length > 0) settleFirst(new Refusal('too_fast', detail));
  }

  function stop(): void {
    const ending = worker;
    worker = null;
    void ending?.terminate();
  }

  return {
    vet(bytes) {
      return new Promise((resolve, reject) => {
        line.push({ id: ++lastId, bytes, resolve, reject });
        if (line.length === 1) askFirst();
      });
    },
  };
}

/** One thread for all rooms of the process. */
const shared = createVetting();

/** As `Vetting.vet`, by the thread all rooms share. @throws Refusal */
export function vetUpdate(bytes: Uint8Array): Promise<void> {
  return shared.vet(bytes);
}
