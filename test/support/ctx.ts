import { randomBytes } from 'node:crypto';
import { createEventBus } from '#domain/events.ts';
import { createPlaybacks } from '#domain/listens/playbacks.ts';
import { newIds } from '#server/ids.ts';
import { openSecretBox } from '#server/secrets.ts';
import type { Actor, Ctx } from '#domain/context.ts';
import type { DomainEvent } from '#domain/events.ts';
import type { TestDatabase } from './dialects.ts';

export interface TestCtx extends Ctx {
  clock: { nowMs(): number; advance(ms: number): void; set(ms: number): void };
  /** Every event published so far. */
  happened: DomainEvent[];
}

/** A context on a real database, with a clock that stands still until it is moved. */
export function testCtx(database: TestDatabase, files?: Partial<Ctx['files']>): TestCtx {
  let nowMs = Date.UTC(2026, 10, 1, 12);
  const bus = createEventBus((error) => {
    throw error;
  });
  const happened: DomainEvent[] = [];
  return {
    db: database.db,
    write: (fn) => database.write(fn),
    writeUnit: (unit, after) => database.writeUnit(unit, after),
    turnToWrite: () => database.turnToWrite(),
    dialect: database.dialect,
    clock: {
      nowMs: () => nowMs,
      advance: (ms) => (nowMs += ms),
      set: (ms) => (nowMs = ms),
    },
    ids: newIds,
    log: { debug() {}, info() {}, warn() {}, error() {} },
    events: {
      on: (name, handler) => bus.on(name, handler),
      async publish(event) {
        happened.push(event);
        await bus.publish(event);
      },
    },
    happened,
    files: { musicDirs: [], dataDir: '', ...files },
    secrets: openSecretBox({ secretKeys: `test:${randomBytes(32).toString('base64')}`, dataDir: '' }),
    playbacks: createPlaybacks(),
    playlistDocs: {
      transact: async () => {
        throw new Error('this test has no rooms');
      },
    },
  };
}

/** Puts a person into the database and answers as them. */
export async function person(
  ctx: Ctx,
  username: string,
  more: { role?: 'admin' | 'user' | 'guest' } = {},
): Promise<Actor> {
  const user_id = ctx.ids.id();
  const now = Math.floor(ctx.clock.nowMs() / 1000);
  const role = more.role ?? 'user';
  await ctx.write(async (trx) => {
    await trx
      .insertInto('users')
      .values({
        id: user_id,
        issuer: 'local',
        subject: user_id,
        username,
        username_key: username.toLowerCase(),
        email: null,
        display_name: username,
        role,
        created_at: now,
        last_active: now,
        is_active: 1,
        preferences_json: '{}',
      })
      .execute();
    await trx
      .insertInto('user_profiles')
      .values({
        user_id,
        bio: null,
        avatar_url: null,
        location: null,
        website: null,
        privacy_level: 1,
        share_listening_history: 0,
        share_playlists: 1,
        updated_at: now,
      })
      .execute();
  });
  return {
    user_id,
    username,
    role,
    provider_role: null,
    credential: { kind: 'session', session_id: user_id, auth_time: now },
  };
}
