import { setTimeout } from 'node:timers/promises';
import { createScanner } from '#domain/library/scanner.ts';
import { startScan } from '#domain/library/start-scan.ts';
import { InterruptedError, complain, onlyWords, say, withCtx } from './terminal.ts';
import type { ScanState } from '#contract/library.ts';
import type { Verb } from './terminal.ts';

/** How often a scan says how far it is. */
const PROGRESS_EVERY_MS = 200;

/** How a running scan stands, in one line. */
function progressLine({ done, total, problem_count }: ScanState): string {
  const of = total === null ? 'Looking for files …' : `Reading the library: ${done} of ${total}`;
  return problem_count === 0 ? of : `${of}, ${problem_count} with problems`;
}

/** Reads the music in MUSIC_DIR; Ctrl-C ends it at the next file. */
export const scan: Verb = async (args, settings) => {
  onlyWords(args);
  return withCtx(settings(), async (ctx) => {
    const scanner = createScanner(ctx);
    const admin = { role: 'admin' } as const;
    let isInterrupted = false;
    process.once('SIGINT', () => {
      isInterrupted = true;
      void scanner.stop();
    });
    await startScan(ctx, null, scanner);
    const finished = scanner.whenIdle().then(() => true);
    let shown = '';
    // A terminal gets one line that is written over; a file gets a line when there is something new.
    const show = (line: string, isLast = false) => {
      if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${line}${isLast ? '\n' : ''}`);
      else if (isLast || shown === '') complain(line);
      shown = line;
    };
    while (!(await Promise.race([finished, setTimeout(PROGRESS_EVERY_MS, false)])))
      show(progressLine(scanner.state(admin)));
    const state = scanner.state(admin);
    show(progressLine(state), true);
    for (const { track_path, reason } of state.problems) complain(`  ${track_path}: ${reason}`);
    const unlisted = state.problem_count - state.problems.length;
    if (unlisted > 0) complain(`  and ${unlisted} more`);
    if (isInterrupted) throw new InterruptedError();
    say(
      `${state.added} added, ${state.updated} updated, ${state.moved} moved, ${state.unchanged} unchanged, ` +
        `${state.missing} missing, ${state.problem_count} with problems.`,
    );
    if (state.hint !== null) complain(state.hint);
    return state.state === 'failed' ? 1 : 0;
  });
};
