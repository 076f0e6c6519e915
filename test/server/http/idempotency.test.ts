import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DIALECTS } from '../../support/dialects.ts';
import { startCuttingProxy } from '../../support/cutting-proxy.ts';
import { seeded } from '../../support/random.ts';
import { putTracks } from '../../support/room.ts';
import { openWorld } from '../../support/world.ts';
import type { Problem } from '#contract/problems.ts';
import type { Someone, World } from '../../support/world.ts';

interface Answered {
  status: number;
  text: string;
  isRepeat: boolean;
}

/** One call over a connection of its own; rejects when that breaks. */
function send(
  url: string,
  who: Pick<Someone, 'token'>,
  { method = 'POST', path, key, body }: { method?: string; path: string; key?: string; body?: unknown },
): Promise<Answered> {
  const text = body === undefined ? '' : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const call = request(
      `${url}/api/v1${path}`,
      {
        method,
        agent: false,
        headers: {
          authorization: `Bearer ${who.token}`,
          ...(text === '' ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
          ...(key === undefined ? {} : { 'idempotency-key': key }),
        },
      },
      (response) => {
        let answer = '';
        response.setEncoding('utf8');
        response.on('data', (part: string) => (answer += part));
        response.once('error', reject);
        response.once('end', () =>
          response.complete
            ? resolve({
                status: response.statusCode ?? 0,
                text: answer,
                isRepeat: response.headers['idempotency-replayed'] === 'true',
              })
            : reject(new Error('cut off')),
        );
      },
    );
    call.once('error', reject);
    call.end(text);
  });
}

describe.each(DIALECTS)('calls with an Idempotency-Key on $name', (dialect) => {
  let world: World;
  let ana: Someone;
  let ben: Someone;
  let tracks: string[];
  beforeAll(async () => {
    world = await openWorld(dialect);
    [ana, ben] = [await world.someone('ana'), await world.someone('ben')];
    tracks = await putTracks(world.server.ctx, 3, { duration: 200 });
  });
  afterAll(() => world.close());

  const make = (who: Someone, key: string, name = 'Mine') =>
    send(world.url, who, { path: '/playlists', key, body: { name } });
  const lists = (who: Someone) =>
    world.server.ctx.db.selectFrom('user_playlists').select('id').where('user_id', '=', who.id).execute();
  const codeOf = (answer: Answered) => (JSON.parse(answer.text) as Problem).code;

  test('[HT20] the same call twice, or twenty times at once, is done once and answered alike', async () => {
    const first = await make(ana, 'key-1');
    expect(first).toMatchObject({ status: 201, isRepeat: false });
    expect(await make(ana, 'key-1')).toEqual({ ...first, isRepeat: true });
    const many = await Promise.all(Array.from({ length: 20 }, () => make(ana, 'key-2')));
    expect(new Set(many.map((one) => one.text)).size).toBe(1);
    expect(many.filter((one) => !one.isRepeat)).toHaveLength(1);
    expect(await lists(ana)).toHaveLength(2);
  });

  test('[HT20] a key is its person’s own, and means one thing', async () => {
    const before = (await lists(ben)).length;
    expect(await make(ben, 'key-1')).toMatchObject({ status: 201, isRepeat: false });
    expect(await lists(ben)).toHaveLength(before + 1);
    const other = await make(ben, 'key-1', 'Another');
    expect([other.status, codeOf(other)]).toEqual([422, 'unprocessable']);
    const elsewhere = await send(world.url, ben, { method: 'DELETE', path: `/social/follow/${ana.id}`, key: 'key-1' });
    expect(elsewhere.status).toBe(422);
    expect(await lists(ben)).toHaveLength(before + 1);
  });

  test('[HT20] when it was sent is no part of what was asked', async () => {
    const start = (sent_at_ms: number) =>
      send(world.url, ana, {
        path: '/listen/start',
        key: 'key-sent',
        body: { track_id: tracks[0], source: 'api', occurred_at_ms: 1_000, sent_at_ms },
      });
    const first = await start(2_000);
    expect(first.status).toBe(200);
    expect(await start(60_000)).toEqual({ ...first, isRepeat: true });
  });

  test('[HT20] what was refused may be tried again under its key', async () => {
    const path = `/social/follow/${ana.id}`;
    const refused = await send(world.url, ana, { path, key: 'key-self' });
    expect(refused.status).toBe(422);
    const again = await send(world.url, ana, { path, key: 'key-self' });
    expect([again.status, codeOf(again), again.isRepeat]).toEqual([422, codeOf(refused), false]);
    const kept = await world.server.ctx.db
      .selectFrom('kept_answers')
      .select('state')
      .where('idempotency_key', '=', 'key-self')
      .execute();
    expect(kept).toEqual([]);
    const done = await send(world.url, ben, { path, key: 'key-follow' });
    expect(done).toEqual({ status: 204, text: '', isRepeat: false });
    expect(await send(world.url, ben, { path, key: 'key-follow' })).toEqual({ ...done, isRepeat: true });
  });

  test('[HT20] a secret that is shown once is not kept', async () => {
    const token = () =>
      send(world.url, ana, { path: '/auth/tokens', key: 'key-token', body: { name: 'Player', scopes: ['read'] } });
    const first = await token();
    expect(first.status).toBe(201);
    const again = await token();
    expect([again.status, codeOf(again)]).toEqual([409, 'conflict']);
    const { token: secret } = JSON.parse(first.text) as { token: string };
    const rows = await world.server.ctx.db.selectFrom('kept_answers').selectAll().execute();
    expect(JSON.stringify(rows)).not.toContain(secret);
    expect(
      await world.server.ctx.db.selectFrom('api_tokens').selectAll().where('name', '=', 'Player').execute(),
    ).toHaveLength(1);
  });

  test('[HT20] nor is the code of an invitation to a playlist', async () => {
    const { id } = await ana.rest.post<{ id: string }>('/playlists', { name: 'Invited' });
    const invite = () =>
      send(world.url, ana, { path: `/playlists/${id}/invites`, key: 'key-invite', body: { role: 'viewer' } });
    const first = await invite();
    expect(first.status).toBe(201);
    expect(await invite()).toMatchObject({ status: 409 });
    const { code } = JSON.parse(first.text) as { code: string };
    const rows = await world.server.ctx.db.selectFrom('kept_answers').selectAll().execute();
    expect(JSON.stringify(rows)).not.toContain(code);
  });

  test.each(['', ' ', 'with space', 'ü', 'x'.repeat(256)].map((key) => [key]))('[HT20] %j is no key', async (key) => {
    const answer = await fetch(`${world.url}/api/v1/playlists`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${ana.token}`,
        'content-type': 'application/json',
        'idempotency-key': Buffer.from(key).toString('latin1'),
      },
      body: JSON.stringify({ name: 'None' }),
    });
    expect(answer.status).toBe(400);
  });

  test('[HT20] it is known for 8 days, and after a restart', async () => {
    const first = await make(ana, 'key-restart');
    const { ctx } = world.server;
    const seven = { created_at: Math.floor(Date.now() / 1000) - 7 * 86_400 };
    await ctx.write((trx) =>
      trx.updateTable('kept_answers').set(seven).where('idempotency_key', '=', 'key-restart').execute(),
    );
    await ctx.write((trx) =>
      trx
        .updateTable('kept_answers')
        .set({ created_at: seven.created_at - 2 * 86_400 })
        .where('idempotency_key', '=', 'key-1')
        .execute(),
    );
    await world.restart();
    expect(await make(ana, 'key-restart')).toEqual({ ...first, isRepeat: true });
    await expect
      .poll(() =>
        world.server.ctx.db.selectFrom('kept_answers').selectAll().where('idempotency_key', '=', 'key-1').execute(),
      )
      .toEqual([]);
  });

  test('[HT20] what was stored by a process that died before it answered is not done again', async () => {
    const { ctx } = world.server;
    const died = async (key: string, state: 'running' | 'changed', secondsAgo: number) => {
      const first = await make(ana, key);
      await ctx.write((trx) =>
        trx
          .updateTable('kept_answers')
          .set({
            state,
            run_id: 'a-process-that-is-not-there',
            status: null,
            body: null,
            created_at: Math.floor(Date.now() / 1000) - secondsAgo,
          })
          .where('idempotency_key', '=', key)
          .execute(),
      );
      return first;
    };
    const count = async () => (await lists(ana)).length;
    await died('key-stored', 'changed', 120);
    await died('key-not-begun', 'running', 120);
    await died('key-perhaps-alive', 'running', 5);
    const before = await count();
    const stored = await make(ana, 'key-stored');
    expect([stored.status, codeOf(stored)]).toEqual([409, 'conflict']);
    expect(await count()).toBe(before);
    expect(await make(ana, 'key-not-begun')).toMatchObject({ status: 201, isRepeat: false });
    expect(await count()).toBe(before + 1);
    const perhaps = await make(ana, 'key-perhaps-alive');
    // A SQLite file has one process at a time; of a shared database the other may still be at it.
    if (dialect.name === 'sqlite') expect(perhaps).toMatchObject({ status: 201, isRepeat: false });
    else expect([perhaps.status, codeOf(perhaps)]).toEqual([409, 'conflict']);
  });

  /** Runs a call whose process dies once it has stored what was asked, and before it has kept the answer. */
  async function dieBeforeAnswer(call: () => Promise<Answered>): Promise<Answered> {
    const { ctx } = world.server;
    const { writeUnit } = ctx;
    ctx.writeUnit = (unit, after) =>
      typeof unit !== 'function' &&
      unit.some(({ sql, parameters }) => sql.includes('kept_answers') && parameters.includes('done'))
        ? Promise.reject(new Error('the process is dead'))
        : writeUnit(unit, after);
    const answer = await call();
    ctx.writeUnit = writeUnit;
    await ctx.write((trx) =>
      trx
        .updateTable('kept_answers')
        .set({ run_id: 'a-process-that-is-not-there', created_at: Math.floor(Date.now() / 1000) - 120 })
        .where('state', '=', 'changed')
        .execute(),
    );
    return answer;
  }

  test('[HT20] an edit of a list is marked in the transaction that stores it', async () => {
    const { id } = JSON.parse((await make(ana, 'key-list-to-edit')).text) as { id: string };
    const add = () =>
      send(world.url, ana, { path: `/playlists/${id}/tracks`, key: 'key-edit', body: { track_ids: [tracks[0]] } });
    expect((await dieBeforeAnswer(add)).status).toBe(201);
    const again = await add();
    expect([again.status, codeOf(again)]).toEqual([409, 'conflict']);
    const { db } = world.server.ctx;
    const rows = await db.selectFrom('playlist_tracks').select('entry_id').where('playlist_id', '=', id).execute();
    expect(rows).toHaveLength(1);
  });

  test('[HT20] a report whose answer was lost is asked again and answered alike; without a name of its own it is not', async () => {
    const start = { track_id: tracks[0], source: 'api', client_session_id: crypto.randomUUID() };
    const begin = (body: object, key: string) => send(world.url, ana, { path: '/listen/start', key, body });
    const first = await dieBeforeAnswer(() => begin(start, 'key-begin'));
    expect(await begin(start, 'key-begin')).toEqual({ ...first, isRepeat: false });
    expect(await begin(start, 'key-begin')).toEqual({ ...first, isRepeat: true });
    const nameless = { track_id: tracks[0], source: 'api' };
    await dieBeforeAnswer(() => begin(nameless, 'key-nameless'));
    expect((await begin(nameless, 'key-nameless')).status).toBe(409);
    const { session_id } = JSON.parse(first.text) as { session_id: string };
    const report = () =>
      send(world.url, ana, {
        path: '/listen/progress',
        key: 'key-report',
        body: { session_id, seq: 1, position_ms: 10, state: 'paused' },
      });
    const reported = await dieBeforeAnswer(report);
    expect(reported.status).toBe(200);
    expect((await report()).text).toBe(reported.text);
    const follow = () => send(world.url, ana, { path: `/social/follow/${ben.id}`, key: 'key-follow' });
    expect((await dieBeforeAnswer(follow)).status).toBe(204);
    expect((await follow()).status).toBe(204);
  });

  test('[R2] 1,000 listens by 20 clients over a line that breaks before, after and amid answers are 1,000', async () => {
    const chance = seeded();
    process.stdout.write(`${dialect.name}: seed ${chance.seed}\n`);
    const proxy = await startCuttingProxy(world.url, chance, 0.35);
    const people = await Promise.all(Array.from({ length: 20 }, (_, i) => world.someone(`listener-${i}`)));
    let sent = 0;
    /** As a client does: the same call until its answer is there. */
    const persist = async (who: Someone, call: { path: string; key: string; body: unknown }): Promise<Answered> => {
      for (let tries = 0; ; tries++) {
        sent++;
        try {
          const answer = await send(proxy.url, who, call);
          if (answer.status < 500) return answer;
        } catch (error) {
          if (tries > 60) throw error;
        }
      }
    };
    const nowMs = Date.now();
    const answers: { who: Someone; call: { path: string; key: string; body: unknown }; answer: Answered }[] = [];
    try {
      await Promise.all(
        people.map(async (who) => {
          for (let i = 0; i < 50; i++) {
            const atMs = nowMs - (i + 1) * 300_000;
            const start = {
              path: '/listen/start',
              key: `start-${i}`,
              body: { track_id: tracks[i % 3], source: 'api', occurred_at_ms: atMs },
            };
            const started = await persist(who, start);
            expect(started.status).toBe(200);
            const { session_id } = JSON.parse(started.text) as { session_id: string };
            const complete = {
              path: '/listen/complete',
              key: `complete-${i}`,
              body: { session_id, seq: 1, position_ms: 200_000, occurred_at_ms: atMs + 200_000 },
            };
            const completed = await persist(who, complete);
            expect(JSON.parse(completed.text)).toMatchObject({ counted: true, completed: true, duration_played: 200 });
            answers.push({ who, call: start, answer: started }, { who, call: complete, answer: completed });
          }
        }),
      );
    } finally {
      await proxy.close();
    }
    const rows = await world.server.ctx.db
      .selectFrom('listening_sessions')
      .select(['user_id', 'counted', 'duration_played'])
      .where(
        'user_id',
        'in',
        people.map((who) => who.id),
      )
      .execute();
    expect(rows).toHaveLength(1_000);
    expect(rows.filter((row) => row.counted === 1 && row.duration_played === 200)).toHaveLength(1_000);
    // Whoever asks once more, now over a good line, hears the very same.
    for (let i = 0; i < answers.length; i += 40) {
      await Promise.all(
        answers.slice(i, i + 40).map(async ({ who, call, answer }) => {
          expect(await send(world.url, who, call)).toEqual({ ...answer, isRepeat: true });
        }),
      );
    }
    const { before, after, amid } = proxy.cuts;
    process.stdout.write(
      `${dialect.name}: ${sent} calls, cut ${before} before, ${after} after, ${amid} amid their answers\n`,
    );
    expect(Math.min(before, after, amid)).toBeGreaterThan(50);
  });
});
