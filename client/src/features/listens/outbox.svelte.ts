import { gateway } from '../../lib/gateway.svelte.ts';
import { i18n } from '../../lib/i18n.svelte.ts';
import { asProblem } from '../../lib/problem.ts';
import { problemText } from '../../lib/problem-text.ts';
import { toaster } from '../../ui/toaster.svelte.ts';
import { ReportQueue } from './report-queue.ts';
import type { Report, ReportStore, SendResult } from './report-queue.ts';

const STORE_KEY = 'listen-reports';
const RETRY_MS = 2_000;
const SLOW_RETRY_MS = 15_000;

/** Reports survive a reload in the browser's storage, under the person they belong to. */
function storeFor(user_id: string): ReportStore {
  const key = `${STORE_KEY}:${user_id}`;
  return {
    read() {
      try {
        const value: unknown = JSON.parse(localStorage.getItem(key) ?? '[]');
        return Array.isArray(value) ? (value as Report[]) : [];
      } catch {
        return [];
      }
    },
    write(reports) {
      try {
        if (reports.length === 0) localStorage.removeItem(key);
        else localStorage.setItem(key, JSON.stringify(reports));
      } catch (error) {
        // Full or forbidden storage: they still wait in memory.
        console.debug('reports not kept', error);
      }
    },
  };
}

async function send(report: Report): Promise<SendResult> {
  try {
    // The server takes the clock's error out by the time of sending, so it is set anew at each try.
    const sent_at_ms = Date.now();
    switch (report.name) {
      case 'listen:start':
        await gateway.request('listen:start', { ...report.payload, sent_at_ms });
        break;
      case 'listen:progress':
        await gateway.request('listen:progress', { ...report.payload, sent_at_ms });
        break;
      case 'listen:complete':
        await gateway.request('listen:complete', { ...report.payload, sent_at_ms });
        break;
    }
    return { kind: 'sent' };
  } catch (error) {
    const problem = asProblem(error);
    if (problem.code === 'unauthenticated') return { kind: 'later', after_ms: SLOW_RETRY_MS };
    if (problem.retryable) return { kind: 'later', after_ms: problem.retry_after_ms ?? RETRY_MS };
    return { kind: 'refused', why: problemText(problem) };
  }
}

/** What the player has to tell the server, kept until the server has it. */
class Outbox {
  #waiting = $state(0);
  #queue: ReportQueue | null = null;
  #early: Report[] = [];

  /** Reports not yet acknowledged. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Begins for a signed-in person. */
  open(user_id: string): void {
    if (this.#queue) return;
    const queue = new ReportQueue({
      send,
      store: storeFor(user_id),
      delay: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
      onchange: (waiting) => (this.#waiting = waiting),
      onrefused: (_report, why) => toaster.error(i18n.m.player.reportDropped(why)),
    });
    this.#queue = queue;
    for (const report of this.#early.splice(0)) queue.add(report);
    gateway.onLive(() => queue.resume());
    gateway.onDown(() => queue.pause());
  }

  add(report: Report): void {
    if (this.#queue) this.#queue.add(report);
    else this.#early.push(report);
  }
}

export const outbox = new Outbox();
