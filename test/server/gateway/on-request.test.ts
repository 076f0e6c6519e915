import { EventEmitter } from 'node:events';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { defineRequest } from '#contract/event.ts';
import { DomainError } from '#domain/errors.ts';
import { onEvent, registerEvents } from '#server/gateway/on-request.ts';
import { person, testCtx } from '../../support/ctx.ts';
import { DIALECTS } from '../../support/dialects.ts';
import type { Ack } from '#contract/gateway.ts';
import type { Actor } from '#domain/context.ts';
import type { Socket } from 'socket.io';
import type { TestCtx } from '../../support/ctx.ts';
import type { TestDatabase } from '../../support/dialects.ts';

const poke = defineRequest({
  // No event of the contract: the wrapper asks for nothing else.
  name: 'poke' as 'clock:sync',
  access: 'guest',
  scope: 'read',
  payload: z.strictObject({ x: z.number() }),
  reply: z.object({ x: z.number() }),
});

describe('an event whose handler fails', () => {
  let database: TestDatabase;
  let ctx: TestCtx;
  let actor: Actor;
  beforeAll(async () => {
    database = await DIALECTS[0]!.open();
    ctx = testCtx(database);
    actor = await person(ctx, 'ana');
  });
  afterAll(() => database.close());

  /** Sends one event and gathers every answer it gets. */
  async function ask(
    run: () => Promise<{ x: number }>,
    args: unknown[] = [{ x: 1 }],
    who: () => Actor | Promise<Actor> = () => actor,
  ): Promise<Ack<unknown>[]> {
    const socket = new EventEmitter();
    registerEvents(ctx, socket as unknown as Socket, who, [onEvent(poke, run)], () => 0);
    const answers: Ack<unknown>[] = [];
    const answered = new Promise<void>((resolve) => {
      socket.emit('poke', ...args, (answer: Ack<unknown>) => {
        answers.push(answer);
        resolve();
      });
    });
    await answered;
    // Whatever might come a second time has had its turns.
    for (let i = 0; i < 5; i++) await new Promise(setImmediate);
    return answers;
  }

  const secret = 'hunter22 of ana@example.org';
  test.each<[string, () => Promise<{ x: number }>]>([
    [
      'throws at once',
      () => {
        throw new Error(secret);
      },
    ],
    ['rejects', () => Promise.reject(new Error(secret))],
    ['rejects later', () => new Promise((_resolve, reject) => setImmediate(() => reject(new TypeError(secret))))],
    ['throws text', () => Promise.reject(secret as unknown as Error)],
    ['throws nothing', () => Promise.reject(undefined as unknown as Error)],
    ['throws null', () => Promise.reject(null as unknown as Error)],
    ['throws an object', () => Promise.reject({ message: secret, status: 200 } as unknown as Error)],
    [
      'throws something that looks like an error of Express',
      () => Promise.reject(Object.assign(new Error(secret), { status: 500, type: 'x' })),
    ],
    [
      'goes on for ever into itself',
      () => {
        const again = (): never => again();
        return again();
      },
    ],
  ])('[GW2] %s: one answer, without the cause', async (_name, run) => {
    const answers = await ask(run);
    expect(answers).toHaveLength(1);
    expect(answers[0]).toMatchObject({
      ok: false,
      problem: { code: 'internal', status: 500, request_id: expect.any(String) },
    });
    expect(JSON.stringify(answers)).not.toContain('hunter22');
  });

  test('[GW2] a refusal keeps its code; a caller who cannot be found is refused, not served', async () => {
    expect(await ask(() => Promise.reject(new DomainError('not_found', 'no')))).toMatchObject([
      { ok: false, problem: { code: 'not_found' } },
    ]);
    let isServed = false;
    const run = async () => {
      isServed = true;
      return { x: 1 };
    };
    for (const who of [
      () => {
        throw new DomainError('unauthenticated', 'gone');
      },
      () => Promise.reject(new DomainError('unauthenticated', 'gone')),
    ]) {
      expect(await ask(run, [{ x: 1 }], who)).toMatchObject([{ ok: false, problem: { code: 'unauthenticated' } }]);
    }
    expect(isServed).toBe(false);
  });

  test('[GW2] without an acknowledgement a failure ends nothing either', async () => {
    const socket = new EventEmitter();
    let calls = 0;
    const run = () => {
      calls++;
      return Promise.reject(new Error('x'));
    };
    registerEvents(
      ctx,
      socket as unknown as Socket,
      () => actor,
      [onEvent(poke, run)],
      () => 0,
    );
    socket.emit('poke', { x: 1 });
    socket.emit('poke');
    socket.emit('poke', () => {}, { x: 1 });
    for (let i = 0; i < 5; i++) await new Promise(setImmediate);
    expect(calls).toBe(1);
  });

  test('[GW10] an answer is kept back as long as the pace asks', async () => {
    const socket = new EventEmitter();
    registerEvents(
      ctx,
      socket as unknown as Socket,
      () => actor,
      [onEvent(poke, async () => ({ x: 1 }))],
      () => 80,
    );
    const startedMs = performance.now();
    await new Promise((resolve) => socket.emit('poke', { x: 1 }, resolve));
    expect(performance.now() - startedMs).toBeGreaterThanOrEqual(75);
  });
});
