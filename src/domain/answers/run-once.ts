import { DomainError } from '../errors.ts';
import { epochSeconds } from '../ports.ts';
import { toStorageError } from '../unit-of-work.ts';
import * as rows from './answers.repository.ts';
import type { UnitStatement } from '#db/unit.ts';
import type { Ctx } from '../context.ts';
import type { CallName } from './answers.repository.ts';

/** [HT20] How long the same call gets the same answer: a phone that was off for a week, and a day. */
const KEPT_S = 8 * 86_400;
/** Another process that has not finished a call after this is taken to be gone. */
const LEASE_S = 60;
const SWEEP_MS = 3_600_000;

export interface KeyedCall extends CallName {
  /** Of all that was asked, so that a key cannot come to mean two things. */
  request_hash: string;
  /** The answer shows a secret that is kept nowhere: it is said once. */
  showsSecret: boolean;
  /** Done twice it is as done once, with the same answer. */
  isRepeatable: boolean;
}

export interface Answer {
  status: number;
  /** JSON as it is sent; null for no content. */
  body: string | null;
}

type Given = Answer & { /** It was given before. */ isRepeat: boolean };

export interface KeptAnswers {
  /**
   * [HT20] Runs a call once, however often it comes with the same key; the others get the same answer. What fails without
   * having changed anything may be tried again under its key.
   * @throws DomainError unprocessable (the key was used for something else), conflict (it is under way in another process, or
   * what it did is stored and its answer is not to be had any more)
   */
  once(call: KeyedCall, run: (ctx: Ctx) => Promise<Answer>): Promise<Given>;
  close(): void;
}

export function createKeptAnswers(ctx: Ctx): KeptAnswers {
  const run_id = ctx.ids.id();
  const underWay = new Map<string, Promise<void>>();
  const nameOf = ({ user_id, idempotency_key }: CallName) => `${user_id} ${idempotency_key}`;
  const warn = (what: string) => (error: unknown) =>
    ctx.log.warn(what, { kind: error instanceof Error ? error.name : '' });

  const tidy = (): Promise<unknown> =>
    ctx
      .writeUnit([rows.dropStatement(ctx.db, epochSeconds(ctx.clock) - KEPT_S)])
      .catch(warn('old answers could not be removed'));
  const timer = setInterval(() => void tidy(), SWEEP_MS);
  timer.unref();
  // A SQLite file is one process's: what is running in it is a dead one's.
  const opened: Promise<unknown> =
    ctx.dialect.name === 'sqlite'
      ? ctx.writeUnit([rows.releaseAllStatement(ctx.db)]).catch(warn('calls of before could not be released'))
      : Promise.resolve();
  void tidy();

  async function write(statement: UnitStatement): Promise<boolean> {
    try {
      return await ctx.writeUnit([statement]);
    } catch (error) {
      throw toStorageError(ctx, error);
    }
  }

  /** The context in which whatever is stored says so of its call, in the same transaction. */
  function marking(call: CallName): Ctx {
    const changed = rows.changedStatement(ctx.db, call);
    return {
      ...ctx,
      writeUnit: (unit, after) =>
        ctx.writeUnit(() => [...(typeof unit === 'function' ? unit() : unit), changed], after),
      write: (fn) =>
        ctx.write(async (trx) => {
          const result = await fn(trx);
          await rows.markChanged(trx, call);
          return result;
        }),
      // A list's edits are stored by its room, several callers' at once.
      playlistDocs: {
        transact: (playlist_id, user_id, edit, more) =>
          ctx.playlistDocs.transact(playlist_id, user_id, edit, {
            ...more,
            async beside(trx) {
              await more?.beside?.(trx);
              await rows.markChanged(trx, call);
            },
          }),
      },
    };
  }

  async function runHere(call: KeyedCall, run: (ctx: Ctx) => Promise<Answer>): Promise<Answer> {
    const held = { ...call, run_id };
    let answer: Answer;
    try {
      answer = await run(marking(call));
    } catch (error) {
      // Whatever went wrong is what the caller is told.
      await ctx.writeUnit([rows.releaseStatement(ctx.db, held)]).catch(warn('a key could not be released'));
      throw error;
    }
    const { status, body } = answer;
    await ctx
      .writeUnit([rows.doneStatement(ctx.db, held, { status, body: call.showsSecret ? null : body })])
      .catch(warn('an answer could not be kept'));
    return answer;
  }

  /** What is known of a call that has come before; null when it is to be looked at again. */
  async function earlier(call: KeyedCall): Promise<Answer | 'free' | 'look again'> {
    const row = await rows.findAnswer(ctx.db, call);
    if (row === undefined) return 'look again';
    if (row.request_hash !== call.request_hash) {
      throw new DomainError('unprocessable', 'This Idempotency-Key was used for another call. Take a new one.');
    }
    if (row.state === 'done') {
      if (row.body === null && row.status !== 204) {
        throw new DomainError(
          'conflict',
          'This was done before. Its answer holds a secret that is shown once only; if it was lost, make a new one.',
        );
      }
      return { status: row.status ?? 204, body: row.body };
    }
    const now = epochSeconds(ctx.clock);
    const isOurs = row.run_id === run_id;
    // A SQLite file is one process's: whichever else it was is dead.
    if (!isOurs && ctx.dialect.name !== 'sqlite' && now - row.created_at < LEASE_S) {
      throw new DomainError('conflict', 'This call is under way. Ask again in a moment.', { retryAfter: 1 });
    }
    if (row.state === 'changed' && !call.isRepeatable) {
      throw new DomainError('conflict', 'This was done before, but its answer was lost. Look at what is there now.');
    }
    return (await write(rows.takeOverStatement(ctx.db, row, { run_id, created_at: now }))) ? 'free' : 'look again';
  }

  async function attempt(call: KeyedCall, run: (ctx: Ctx) => Promise<Answer>): Promise<Given | 'look again'> {
    await opened;
    const { user_id, idempotency_key, request_hash } = call;
    const created_at = epochSeconds(ctx.clock);
    const claim = { user_id, idempotency_key, request_hash, state: 'running', run_id, created_at } as const;
    const isFirst = await write(rows.claimStatement(ctx.db, { ...claim, status: null, body: null }));
    const before = isFirst ? 'free' : await earlier(call);
    if (before === 'look again') return before;
    if (before === 'free') return { ...(await runHere(call, run)), isRepeat: false };
    return { ...before, isRepeat: true };
  }

  return {
    async once(call, run) {
      const name = nameOf(call);
      for (;;) {
        const known = underWay.get(name);
        if (known !== undefined) {
          await known;
          continue;
        }
        const trying = attempt(call, run);
        const over = trying.then(
          () => undefined,
          () => undefined,
        );
        underWay.set(name, over);
        try {
          const given = await trying;
          if (given !== 'look again') return given;
        } finally {
          underWay.delete(name);
        }
      }
    },
    close: () => clearInterval(timer),
  };
}
