import { addressOf } from '../../lib/api.ts';
import { gateway } from '../../lib/gateway.svelte.ts';
import { i18n } from '../../lib/i18n.svelte.ts';
import { asProblem } from '../../lib/problem.ts';
import { problemText } from '../../lib/problem-text.ts';
import { toaster } from '../../ui/toaster.svelte.ts';
import { ReportQueue } from './report-queue.ts';
import { reportStore } from './report-store.ts';
import type { Report, SendResult } from './report-queue.ts';

const RETRY_MS = 2_000;
const SLOW_RETRY_MS = 15_000;
/** While the line is up a few reports are always on their way. */
const PILE = 3;
/** Requests a leaving page makes at most. */
const LAST_WORDS = 5;

/** What an error means for the report it met. */
function judge(error: unknown): SendResult {
  const problem = asProblem(error);
  if (problem.code === 'unauthenticated') return { kind: 'later', after_ms: SLOW_RETRY_MS };
  if (problem.retryable) return { kind: 'later', after_ms: problem.retry_after_ms ?? RETRY_MS };
  return { kind: 'refused', why: problemText(problem) };
}

async function sendOne(report: Report): Promise<SendResult> {
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
    return judge(error);
  }
}

async function send(reports: readonly Report[]): Promise<SendResult[]> {
  const [only] = reports;
  if (only !== undefined && reports.length === 1) return [await sendOne(only)];
  try {
    const { results } = await gateway.request('listen:batch', {
      sent_at_ms: Date.now(),
      events: reports.map(({ name, payload }) => ({ event: name, ...payload })),
    });
    return results.map((one) => (one.ok ? { kind: 'sent' } : judge(one.problem)));
  } catch (error) {
    const result = judge(error);
    // A batch that is refused whole says nothing of its reports: one alone then shows which it is.
    return result.kind === 'refused' ? [await sendOne(reports[0]!)] : [result];
  }
}

/** What the player has to tell the server, kept until the server has it. */
class Outbox {
  #waiting = $state(0);
  #plays = $state(0);
  #queue: ReportQueue | null = null;
  #early: Report[] = [];
  #isWarned = false;

  /** Plays those reports are of, where it is worth a word: the line is down, or reports pile up. */
  get playsToTell(): number {
    return gateway.state === 'live' && this.#waiting <= PILE ? 0 : this.#plays;
  }

  /** Begins for a signed-in person. */
  open(user_id: string): void {
    if (this.#queue) return;
    const queue = new ReportQueue({
      send,
      store: reportStore(user_id),
      delay: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
      onchange: () => {
        this.#waiting = queue.waiting;
        this.#plays = queue.plays;
      },
      onrefused: (_report, why) => toaster.error(i18n.m.player.reportDropped(why)),
      onunkept: (error) => this.#warn(error),
    });
    this.#queue = queue;
    for (const report of this.#early.splice(0)) queue.add(report);
    gateway.onLive(() => queue.resume());
    gateway.onDown(() => queue.pause());
    // A phone may freeze a hidden page at any moment: what waits for its next try goes now.
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'hidden' && gateway.state === 'live') queue.resume();
    });
  }

  add(report: Report): void {
    if (this.#queue) this.#queue.add(report);
    else this.#early.push(report);
  }

  /**
   * The page is going for good, and its socket with it: the last words go past it, by requests that outlive the page. They
   * stay kept, and are sent again with the next visit, which does no harm.
   */
  leave(): void {
    for (const { name, payload } of this.#queue?.peek(LAST_WORDS) ?? []) {
      fetch(addressOf(`/${name.replace(':', '/')}`), {
        method: 'POST',
        keepalive: true,
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ ...payload, sent_at_ms: Date.now() }),
      }).catch((error: unknown) => console.debug('last words', error));
    }
  }

  /** Storage that is full or forbidden is said aloud, once: what waits is lost if the page is closed. */
  #warn(error: unknown): void {
    console.debug('reports not kept', error);
    if (this.#isWarned) return;
    this.#isWarned = true;
    toaster.error(i18n.m.player.reportsNotKept);
  }
}

export const outbox = new Outbox();
