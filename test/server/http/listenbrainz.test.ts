import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createApiToken } from '#domain/accounts/api-tokens.ts';
import { setRole } from '#domain/accounts/set-role.ts';
import { sortKey } from '#domain/library/library.rules.ts';
import { uuidOfTrack } from '#domain/listens/recordings.rules.ts';
import { LIMITS } from '#server/limits/limits.ts';
import { AMPLE } from '../../support/ample.ts';
import { gatewayClient } from '../../support/clients.ts';
import { DIALECTS } from '../../support/dialects.ts';
import { putTracks } from '../../support/room.ts';
import { openWorld } from '../../support/world.ts';
import type { Scope } from '#contract/security.ts';
import type { Someone, World } from '../../support/world.ts';

const NOW = () => Math.floor(Date.now() / 1000);
const meta = (track_name: string, additional_info: object = {}, artist_name = 'Artist') => ({
  artist_name,
  track_name,
  additional_info,
});
const single = (listened_at: number, track_name: string, info: object = {}) => ({
  listen_type: 'single',
  payload: [{ listened_at, track_metadata: meta(track_name, info) }],
});
const playingNow = (track_name: string, info: object = {}) => ({
  listen_type: 'playing_now',
  payload: [{ track_metadata: meta(track_name, info) }],
});

interface Listen {
  listened_at: number;
  recording_msid: string;
  user_name: string;
  track_metadata: {
    artist_name: string;
    track_name: string;
    release_name?: string;
    additional_info: Record<string, unknown>;
  };
}
interface Listens {
  payload: { count: number; user_id: string; listens: Listen[]; latest_listen_ts: number; oldest_listen_ts: number };
}

describe.each(DIALECTS)('ListenBrainz programs, on $name', (dialect) => {
  let world: World;
  let people = 0;
  let ana: Someone;
  let token: string;
  beforeAll(async () => {
    world = await openWorld(dialect);
  });
  afterAll(() => world.close());
  beforeEach(async () => {
    ana = await world.someone(`ana${++people}`);
    token = await tokenOf(ana, ['listen:write', 'read', 'write']);
  });

  const tokenOf = async (who: Someone, scopes: Scope[]) =>
    (await createApiToken(world.server.ctx, who.id, { name: 'scrobbler', scopes })).token;
  async function call<T = Record<string, unknown>>(
    path: string,
    {
      body,
      by = `Token ${token}`,
      ...more
    }: { body?: unknown; by?: string | null; headers?: Record<string, string>; method?: string } = {},
  ): Promise<{ status: number; headers: Headers; body: T }> {
    const response = await fetch(world.url + path, {
      method: more.method ?? (body === undefined ? 'GET' : 'POST'),
      headers: { ...(by === null ? {} : { authorization: by }), ...more.headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      body: (text === '' ? undefined : JSON.parse(text)) as T,
    };
  }
  const submit = (body: unknown, by?: string) =>
    call('/1/submit-listens', { body, ...(by === undefined ? {} : { by }) });
  const listensOf = async (who: Someone, query = '', by?: string) =>
    (await call<Listens>(`/1/user/${who.username}/listens${query}`, by === undefined ? {} : { by })).body.payload;
  const rows = (who = ana) =>
    world.database.db
      .selectFrom('listening_sessions')
      .selectAll()
      .where('user_id', '=', who.id)
      .orderBy('started_at')
      .execute();
  async function song(title: string, more: { duration?: number; recording_mbid?: string } = {}): Promise<string> {
    const [id] = await putTracks(world.server.ctx, 1, { duration: more.duration ?? 200 });
    const { recording_mbid = null } = more;
    const change = { title, artist: 'Artist', title_sort: sortKey(title, 'Artist'), recording_mbid };
    await world.server.ctx.write((trx) => trx.updateTable('tracks').set(change).where('id', '=', id!).execute());
    return id!;
  }
  const fresh = () => `Song ${crypto.randomUUID()}`;

  test('[LBZ1-1] at the root and below the API, with any number of slashes', async () => {
    const at = NOW() - 5_000;
    for (const [i, path] of [
      '/1/submit-listens',
      '/1/submit-listens/',
      '//1//submit-listens',
      '/api/v1/1/submit-listens',
      '/api/v1//1/submit-listens/',
    ].entries()) {
      const { status, body } = await call(path, { body: single(at + i * 300, 'One') });
      expect([path, status, body]).toEqual([path, 200, { status: 'ok' }]);
    }
    expect(await rows()).toHaveLength(5);
    expect((await call('/1/')).status).toBe(404);
    expect((await call('/1/no-such-thing')).body).toEqual({
      code: 404,
      error: 'There is no such address.',
      request_id: expect.stringMatching(/^[\w-]{22}$/),
    });
    const wrong = await call('/1/submit-listens');
    expect([wrong.status, wrong.headers.get('allow'), wrong.body.code]).toEqual([405, 'POST', 405]);
    // What only begins with a 1 is a page of ours.
    expect((await fetch(`${world.url}/1st`)).headers.get('access-control-allow-origin')).toBeNull();
  });

  test.each([
    [undefined],
    ['application/json'],
    ['application/json; charset=UTF-8'],
    ['text/plain'],
    ['application/x-www-form-urlencoded'],
  ])('[LBZ1-2] a body is JSON, whatever its type says: %s', async (type) => {
    const { status } = await call('/1/submit-listens', {
      body: single(NOW() - 500, 'One'),
      headers: type === undefined ? {} : { 'content-type': type },
    });
    expect(status).toBe(200);
  });

  test('[LBZ1-7] errors are in its words, and nothing is half-written', async () => {
    const good = { listened_at: NOW() - 900, track_metadata: meta('Good') };
    for (const [body, status, message] of [
      ['{', 400, /not valid JSON/],
      ['', 400, /not valid JSON/],
      [{ listen_type: 'import', payload: [good, { ...good, track_metadata: {} }] }, 400, /track_metadata/],
      [`{"listen_type":"single","payload":[{"a":"${'x'.repeat(10_300)}"}]}`, 400, /too large/],
      [`{"x":"${'x'.repeat(10_240_000)}"}`, 413, /larger/],
    ] as const) {
      const answer = await call('/1/submit-listens', { body });
      expect([answer.status, answer.body.code]).toEqual([status, status]);
      expect(String(answer.body.error)).toMatch(message);
    }
    expect(await rows()).toEqual([]);
  });

  test('[LBZ1-6] the four rate-limit headers are on every answer, and say the truth', async () => {
    const limits = { ...AMPLE.limits, scrobbler: LIMITS.scrobbler, scrobbler_address: LIMITS.scrobbler_address };
    const small = await openWorld(dialect, { limits });
    try {
      const ben = await small.someone('ben');
      const { token: bens } = await createApiToken(small.server.ctx, ben.id, { name: 'x', scopes: ['read'] });
      const ask = (by: string) =>
        fetch(`${small.url}/1/user/ben/listen-count`, { headers: { authorization: `Token ${by}` } });
      const read = ({ headers }: Response) =>
        ['limit', 'remaining', 'reset-in', 'reset'].map((name) => Number(headers.get(`x-ratelimit-${name}`)));
      const seen: number[][] = [];
      let last: Response | null = null;
      for (let i = 0; i < 51; i++) {
        last = await ask(bens);
        await last.arrayBuffer();
        seen.push(read(last));
      }
      expect([last?.status, last?.headers.get('retry-after')]).toEqual([429, String(seen.at(-1)![2])]);
      expect(seen.map(([limit, remaining]) => [limit, remaining])).toEqual(
        Array.from({ length: 51 }, (_, i) => [50, Math.max(0, 49 - i)]),
      );
      for (const [, , resetIn, reset] of seen) {
        expect(resetIn).toBeGreaterThan(0);
        expect(resetIn).toBeLessThanOrEqual(10);
        expect(Math.abs(reset! - NOW() - resetIn!)).toBeLessThanOrEqual(10);
      }
      expect(read(await ask('sbm_nobody')).slice(0, 2)).toEqual([30, 29]);
    } finally {
      await small.close();
    }
  });

  test('[LBZ1-2] tokens alone: by Token, token or Bearer; a cookie is never read', async () => {
    for (const by of [`Token ${token}`, `token ${token}`, `Bearer ${token}`, `TOKEN  ${token}`]) {
      expect((await submit(single(NOW() - 100, 'One'), by)).status).toBe(200);
    }
    const { cookie } = await world.signIn(ana);
    for (const headers of [
      { cookie },
      { cookie, origin: new URL(world.url).origin },
      { cookie, authorization: 'Basic eA==' },
    ]) {
      const answer = await call('/1/submit-listens', { body: single(NOW() - 100, 'Two'), by: null, headers });
      expect([answer.status, answer.body.code]).toEqual([401, 401]);
      expect((await call(`/1/user/${ana.username}/listens`, { by: null, headers })).status).toBe(401);
    }
    expect(await rows()).toHaveLength(1);
    for (const by of ['Token x', 'Token', 'Bearer sbm_x', `Token ${token}x`]) {
      expect([by, (await submit(single(1, 'x'), by)).status]).toEqual([by, 401]);
    }
    const reader = await tokenOf(ana, ['read']);
    const refused = await submit(single(NOW(), 'x'), `Token ${reader}`);
    expect([refused.status, refused.body.error]).toEqual([403, expect.stringMatching(/listen:write/)]);
  });

  test('[LBZ1-11] validate-token says whose it is', async () => {
    const valid = { code: 200, message: 'Token valid.', valid: true, user_name: ana.username };
    expect((await call('/1/validate-token')).body).toEqual(valid);
    expect((await call('/1/validate-token', { by: `Bearer ${token}` })).body).toEqual(valid);
    const unknown = await call('/1/validate-token', { by: 'Token 2bbbd6c5-5a5c-4d7c-b5b3-7c1f1f1d1e1c' });
    expect([unknown.status, unknown.body]).toEqual([200, { code: 200, message: 'Token invalid.', valid: false }]);
    expect((await call('/1/validate-token', { by: null })).status).toBe(400);
    // A token in an address is a token in a log (ID92).
    expect((await call(`/1/validate-token?token=${token}`, { by: null })).status).toBe(400);
    expect((await call('/1/validate-token')).headers.get('x-ratelimit-limit')).not.toBeNull();
  });

  test('[LBZ1-2] any page may ask, with a token', async () => {
    const asked = await call('/1/submit-listens', {
      method: 'OPTIONS',
      by: null,
      headers: { origin: 'https://elsewhere.example' },
    });
    expect(asked.status).toBe(204);
    const answered = await submit(single(NOW(), 'x'));
    for (const { headers } of [asked, answered, await call('/1/user/x/listens', { by: null })]) {
      expect(headers.get('access-control-allow-origin')).toBe('*');
      expect(headers.get('access-control-allow-headers')).toBe('Authorization, Content-Type');
      expect(headers.get('access-control-allow-credentials')).toBeNull();
      expect(headers.get('cross-origin-resource-policy')).toBe('cross-origin');
    }
  });

  test('[LBZ1-9] a listen of music that is not here is kept as it was told, and is in history', async () => {
    const at = NOW() - 1_000;
    const info = {
      duration_ms: 200_000,
      duration_played: 150,
      submission_client: 'Pano Scrobbler',
      tracknumber: '7/12',
      secret: 'x',
    };
    await submit({
      listen_type: 'single',
      payload: [{ listened_at: at, track_metadata: { ...meta('Unheard', info), release_name: 'LP' } }],
    });
    const [row] = await rows();
    expect(row).toMatchObject({
      track_id: null,
      source: 'api',
      counted: 1,
      started_at: at,
      ended_at: at + 150,
      duration_played: 150,
      completed: 0,
      state: 'stopped',
      local_day: Math.floor(at / 86_400),
    });
    expect(JSON.parse(row!.wall_json)).toEqual([[at * 1000, (at + 150) * 1000]]);
    const stale = await world.database.db.selectFrom('stale_days').selectAll().where('user_id', '=', ana.id).execute();
    expect(stale).toMatchObject([{ user_id: ana.id, local_day: row!.local_day }]);
    const { items } = await ana.rest.get<{ items: { text: object; source: string }[] }>('/listen/history');
    expect(items).toMatchObject([
      { source: 'api', text: { title: 'Unheard', artist: 'Artist', album: 'LP', duration: 200 } },
    ]);
    const [listen] = (await listensOf(ana)).listens;
    expect(listen).toEqual({
      listened_at: at,
      inserted_at: expect.any(Number),
      recording_msid: expect.stringMatching(/^[0-9a-f-]{36}$/),
      user_name: ana.username,
      track_metadata: {
        artist_name: 'Artist',
        track_name: 'Unheard',
        release_name: 'LP',
        additional_info: {
          duration_ms: 200_000,
          duration_played: 150,
          submission_client: 'Pano Scrobbler',
          tracknumber: 7,
          recording_msid: listen!.recording_msid,
        },
      },
    });
  });

  test('[LBZ1-10] sent again, also ten times at once, it is one; another second is another', async () => {
    const title = fresh();
    const at = NOW() - 1_000;
    await Promise.all(Array.from({ length: 10 }, () => submit(single(at, title))));
    await submit(single(at, ` ${title.toUpperCase()} `, { duration_ms: 180_000 }));
    expect(await rows()).toHaveLength(1);
    await submit({
      listen_type: 'import',
      payload: [at + 200, at + 400, at + 600, at].map((listened_at) => ({ listened_at, track_metadata: meta(title) })),
    });
    expect(await rows()).toHaveLength(4);
    // Another person's is their own.
    const ben = await world.someone(`ben${people}`);
    await submit(single(at, title), `Token ${await tokenOf(ben, ['listen:write'])}`);
    expect(await rows(ben)).toHaveLength(1);
  });

  test('[LBZ1-10] what our own player reported too is one listen; its repeats are more', async () => {
    const title = fresh();
    const track_id = await song(title);
    const start = await ana.rest.post<{ session_id: string }>('/listen/start', { track_id, source: 'web' });
    // Half-way through the track its scrobbler tells of it.
    await submit(single(NOW() + 1, title));
    expect(await rows()).toHaveLength(1);
    await ana.rest.post('/listen/complete', { session_id: start.session_id, seq: 1, position_ms: 5_000 });
    // Left after five seconds, so what another program heard to its end is another play.
    await submit(single(NOW() - 2_000, title));
    await submit(single(NOW() + 60, title));
    expect((await rows()).map(({ source }) => source)).toEqual(['api', 'web', 'api']);
  });

  /** What our own player has kept while it was offline: a track of 200 s heard from `at` on, for so long. */
  async function offline(track_id: string, at: number, heard_s = 200): Promise<void> {
    const client_session_id = crypto.randomUUID();
    const when = (s: number) => ({ occurred_at_ms: (at + s) * 1000, sent_at_ms: Date.now() });
    await ana.rest.post('/listen/start', { track_id, source: 'mobile', client_session_id, ...when(0) });
    const end = { session_id: client_session_id, seq: 1, position_ms: heard_s * 1000, ...when(heard_s) };
    await ana.rest.post('/listen/complete', end);
  }
  /** Own plays and told ones, by when they began; then how many listens that is, and by whom. */
  test.each<[string, number[], number[], string[]]>([
    ['one play, told by its scrobbler', [0], [1], ['mobile']],
    ['one play, told from its middle', [0], [120], ['mobile']],
    ['one play, told from before its beginning', [150], [0], ['mobile']],
    ['two plays, each told', [0, 200], [2, 203], ['mobile', 'mobile']],
    ['a play, and one right after it elsewhere', [0], [200], ['mobile', 'api']],
    ['a play that is told, and one elsewhere', [0], [1, 400], ['mobile', 'api']],
    ['a play told twice, which is a repeat', [0], [1, 150], ['mobile', 'api']],
    ['a play long after another', [5_000], [0], ['api', 'mobile']],
  ])('[LBZ1-10] %s: the same listens, whoever comes first', async (_what, own, told, expected) => {
    const came: string[][] = [];
    for (const isToldFirst of [false, true]) {
      ana = await world.someone(`ana${++people}`);
      token = await tokenOf(ana, ['listen:write', 'read', 'write']);
      const title = fresh();
      const track_id = await song(title);
      const from = NOW() - 10_000;
      const tell = async () => {
        for (const at of told) await submit(single(from + at, title));
      };
      if (isToldFirst) await tell();
      for (const at of own) await offline(track_id, from + at);
      if (!isToldFirst) await tell();
      const listens = (await rows()).filter((row) => row.counted === 1);
      came.push(listens.map(({ source }) => source));
      expect((await call(`/1/user/${ana.username}/listen-count`)).body).toEqual({
        payload: { count: expected.length },
      });
      // Told again by a program that did not hear the answer: nothing more.
      await tell();
      expect((await rows()).filter((row) => row.counted === 1)).toHaveLength(expected.length);
      const { totals } = await ana.rest.get<{ totals: { listens: number; duration: number } }>(
        '/listen/stats?period=all',
      );
      expect(totals.listens).toBe(expected.length);
      // Followers are told of each once.
      const feed = await world.database.db
        .selectFrom('feed_items')
        .select('session_id')
        .where('actor_id', '=', ana.id)
        .execute();
      expect(feed.map(({ session_id }) => session_id).toSorted()).toEqual(listens.map(({ id }) => id).toSorted());
    }
    expect(came).toEqual([expected, expected]);
  });

  test('[LBZ1-10] what our own player left before it counted takes no told listen away, whoever comes first', async () => {
    for (const isToldFirst of [false, true]) {
      ana = await world.someone(`ana${++people}`);
      token = await tokenOf(ana, ['listen:write', 'read', 'write']);
      const title = fresh();
      const track_id = await song(title);
      const at = NOW() - 10_000;
      if (isToldFirst) await submit(single(at + 5, title));
      await offline(track_id, at, 5);
      if (!isToldFirst) await submit(single(at + 5, title));
      const listens = (await rows()).map(({ source, counted }) => `${source} ${counted}`);
      expect(listens.toSorted()).toEqual(['api 1', 'mobile 0']);
    }
  });

  test('[LBZ1-10] told and reported at the same moment it is one listen', async () => {
    for (let round = 0; round < 10; round++) {
      ana = await world.someone(`ana${++people}`);
      token = await tokenOf(ana, ['listen:write', 'read', 'write']);
      const title = fresh();
      const track_id = await song(title);
      const at = NOW() - 10_000;
      await Promise.all([submit(single(at + 1, title)), offline(track_id, at), submit(single(at + 4, title))]);
      expect((await rows()).map(({ source, counted }) => [source, counted])).toEqual([['mobile', 1]]);
    }
  });

  test('[LBZ1-5] what is not wanted is answered ok and not stored', async () => {
    for (const body of [single(NOW(), 'Jingle', { duration_ms: 30_000 }), single(1, 'Old'), single(0, 'Clockless')]) {
      const { status, body: answer } = await submit(body);
      expect([status, answer]).toEqual([200, { status: 'ok' }]);
    }
    expect(await rows()).toEqual([]);
    const [some] = [
      { listen_type: 'import', payload: [single(1, 'Old'), single(NOW(), 'New')].map((one) => one.payload[0]) },
    ];
    expect((await submit(some)).status).toBe(200);
    expect(await rows()).toHaveLength(1);
  });

  test('[LBZ1-8] playing now is shown live, never stored, and ended by its listen', async () => {
    const title = fresh();
    const track_id = await song(title, { duration: 100 });
    const friend = await world.someone(`friend${people}`);
    await friend.rest.post(`/social/follow/${ana.id}`);
    await ana.rest.post(`/social/follow/${friend.id}`);
    await ana.rest.put('/user/profile', { share_listening_history: true });
    const gateway = await gatewayClient(world.url, friend.token);
    try {
      const answer = await call('/1/submit-listens?return_msid=true', { body: playingNow(title) });
      expect(answer.body).toEqual({ status: 'ok', recording_msid: expect.stringMatching(/^[0-9a-f-]{36}$/) });
      const known = await gateway.next('listening:update', ({ user_id }) => user_id === ana.id);
      expect(known).toMatchObject({ track: { id: track_id }, state: 'playing', position_ms: 0 });
      const now = await call<{ payload: { count: number; listens: Listen[] } }>(`/1/user/${ana.username}/playing-now`);
      expect(now.body).toEqual({
        payload: {
          count: 1,
          user_id: ana.username,
          playing_now: true,
          listens: [
            {
              playing_now: true,
              // A track of ours, by whomever it is told.
              recording_msid: uuidOfTrack(track_id),
              user_name: ana.username,
              track_metadata: {
                artist_name: 'Artist',
                track_name: title,
                additional_info: { duration_ms: 100_000 },
              },
            },
          ],
        },
      });
      // Told half-way, the track plays on; told after its end, it is over.
      await submit(single(NOW() - 50, title));
      expect(
        (await call<{ payload: { count: number } }>(`/1/user/${ana.username}/playing-now`)).body.payload.count,
      ).toBe(1);
      await submit(playingNow('Nobody’s', { duration: 400 }));
      const unknown = await gateway.next('listening:update', ({ track }) => track === null);
      expect(unknown).toMatchObject({ text: { title: 'Nobody’s', artist: 'Artist', duration: 400 }, state: 'playing' });
      await submit(single(NOW() - 400, 'Nobody’s', { duration: 400 }));
      await gateway.next('listening:update', ({ state }) => state === 'stopped');
      expect(
        (await call<{ payload: { count: number } }>(`/1/user/${ana.username}/playing-now`)).body.payload.count,
      ).toBe(0);
      expect(await rows()).toHaveLength(2);
    } finally {
      gateway.close();
    }
  });

  test('[LBZ1-12] listens page by page: count, and bounds that are not included', async () => {
    const at = NOW() - 100_000;
    await submit({
      listen_type: 'import',
      payload: Array.from({ length: 30 }, (_, i) => ({ listened_at: at + i * 100, track_metadata: meta(`Song ${i}`) })),
    });
    const times = async (query: string) =>
      (await listensOf(ana, query)).listens.map(({ listened_at }) => (listened_at - at) / 100);
    const down = (from: number, to: number) => Array.from({ length: from - to + 1 }, (_, i) => from - i);
    expect(await times('')).toEqual(down(29, 5));
    expect(await times('?count=3')).toEqual([29, 28, 27]);
    expect(await times('?count=5000')).toEqual(down(29, 0));
    expect(await times('?count=0')).toEqual([]);
    expect(await times(`?max_ts=${at + 300}`)).toEqual([2, 1, 0]);
    expect(await times(`?min_ts=${at + 2_600}`)).toEqual([29, 28, 27]);
    expect(await times(`?min_ts=${at + 300}&count=2`)).toEqual([5, 4]);
    expect(await times(`?min_ts=${at + 300}&max_ts=${at + 700}`)).toEqual([6, 5, 4]);
    expect((await call(`/1/user/${ana.username}/listens?count=1`)).body).toEqual({
      payload: {
        count: 1,
        user_id: ana.username,
        listens: [expect.objectContaining({ listened_at: at + 2_900 })],
        latest_listen_ts: at + 2_900,
        oldest_listen_ts: at,
      },
    });
    for (const query of ['count=x', 'count=-1', 'max_ts=1.5', `min_ts=${at}&max_ts=${at}`, 'min_ts=']) {
      expect([query, (await call(`/1/user/${ana.username}/listens?${query}`)).status]).toEqual([
        query,
        query === 'min_ts=' ? 200 : 400,
      ]);
    }
    expect((await call(`/1/user/${ana.username}/listen-count`)).body).toEqual({ payload: { count: 30 } });
  });

  test('[LBZ1-14] others read what they may see, and find nobody else', async () => {
    await submit(single(NOW() - 500, 'Mine'));
    const friend = await world.someone(`frank${people}`);
    const by = `Token ${await tokenOf(friend, ['read'])}`;
    const paths = ['listens', 'listen-count', 'playing-now'].map((what) => `/1/user/${ana.username}/${what}`);
    const all = [...paths, `/1/feedback/user/${ana.username}/get-feedback`];
    const nobody = (await call('/1/user/nobody-here/listens', { by })).body;
    for (const path of all) {
      const { status, body } = await call(path, { by });
      expect([path, status, body.code, body.error]).toEqual([path, 404, 404, nobody.error]);
    }
    await ana.rest.put('/user/profile', { share_listening_history: true, privacy_level: 2 });
    for (const path of all) expect([path, (await call(path, { by })).status]).toEqual([path, 200]);
    expect((await listensOf(ana, '', by)).count).toBe(1);
    await world.server.ctx.write((trx) =>
      trx.updateTable('listening_sessions').set({ is_hidden: 1 }).where('user_id', '=', ana.id).execute(),
    );
    expect((await listensOf(ana, '', by)).listens).toEqual([]);
    expect((await call(`/1/user/${ana.username}/listen-count`, { by })).body).toEqual({ payload: { count: 0 } });
    expect((await listensOf(ana)).count).toBe(1);
  });

  test('[LBZ1-15] love is a favourite, hate is remembered, 0 takes both back', async () => {
    const mbid = crypto.randomUUID();
    const [title, other] = [fresh(), fresh()];
    const track_id = await song(title, { recording_mbid: mbid });
    await submit({
      listen_type: 'import',
      payload: [title, other].map((name, i) => ({ listened_at: NOW() - 900 - i * 300, track_metadata: meta(name) })),
    });
    const [known, unknown] = (await listensOf(ana)).listens.map((one) => one.recording_msid);
    const feel = async (body: object) => (await call('/1/feedback/recording-feedback', { body })).status;
    interface Feedback {
      feedback: {
        score: number;
        recording_msid: string | null;
        recording_mbid: string | null;
        track_metadata: { track_name: string } | null;
      }[];
      count: number;
      total_count: number;
      offset: number;
    }
    const feelings = async (query = '') =>
      (await call<Feedback>(`/1/feedback/user/${ana.username}/get-feedback${query}`)).body;
    const hearts = () =>
      world.database.db
        .selectFrom('user_favorites')
        .select('track_id')
        .where('user_id', '=', ana.id)
        .where('favorited_at', 'is not', null)
        .execute();

    expect([
      await feel({ recording_msid: known, score: 1 }),
      await feel({ recording_msid: unknown, score: -1 }),
    ]).toEqual([200, 200]);
    expect(await hearts()).toEqual([{ track_id }]);
    const page = (
      score: number,
      recording_msid: unknown,
      recording_mbid: string | null,
      track_metadata: object | null,
    ) => ({
      count: 1,
      total_count: 1,
      offset: 0,
      feedback: [
        {
          user_id: ana.username,
          created: expect.any(Number) as number,
          recording_mbid,
          recording_msid,
          score,
          track_metadata,
        },
      ],
    });
    const metadata = (track_name: string, info: object) => ({
      artist_name: 'Artist',
      track_name,
      additional_info: info,
    });
    const loved = uuidOfTrack(track_id);
    expect(await feelings('?metadata=true&score=1')).toEqual(
      page(1, loved, null, metadata(title, { duration_ms: 200_000, recording_msid: loved })),
    );
    expect(await feelings('?metadata=true&score=-1')).toEqual(
      page(-1, unknown, null, metadata(other, { recording_msid: unknown })),
    );
    const pages = [await feelings('?count=1'), await feelings('?count=1&offset=1')];
    // Both were given within a second.
    expect(pages.toSorted((a, b) => a.feedback[0]!.score - b.feedback[0]!.score)).toEqual([
      { ...page(-1, unknown, null, null), total_count: 2, offset: expect.any(Number) },
      { ...page(1, loved, null, null), total_count: 2, offset: expect.any(Number) },
    ]);
    expect(pages.map(({ offset }) => offset)).toEqual([0, 1]);
    // By its MBID it is the same track; hate ends love.
    expect(await feel({ recording_mbid: mbid, score: -1 })).toBe(200);
    expect(await hearts()).toEqual([]);
    expect((await feelings('?score=-1')).total_count).toBe(2);
    expect([await feel({ recording_mbid: mbid, score: 0 }), await feel({ recording_msid: unknown, score: 0 })]).toEqual(
      [200, 200],
    );
    expect(await feelings()).toEqual({ feedback: [], count: 0, total_count: 0, offset: 0 });
    // An MBID nobody here knows yet, and things that are none.
    expect(await feel({ recording_mbid: crypto.randomUUID(), score: 1 })).toBe(200);
    expect((await feelings()).total_count).toBe(1);
    for (const body of [
      { score: 1 },
      { recording_msid: known },
      { recording_msid: known, score: 2 },
      { recording_msid: 'x', score: 1 },
      { recording_msid: known, score: 1, x: 1 },
    ]) {
      expect([body, await feel(body)]).toEqual([body, 400]);
    }
  });

  test('[LBZ1-17] a listen is deleted by when and what, whoever told of it', async () => {
    const title = fresh();
    const track_id = await song(title);
    await submit({
      listen_type: 'import',
      payload: [0, 300].map((s) => ({ listened_at: NOW() - 900 - s, track_metadata: meta(`${title}?`) })),
    });
    const { session_id } = await ana.rest.post<{ session_id: string }>('/listen/start', { track_id, source: 'web' });
    await world.server.ctx.write((trx) =>
      trx.updateTable('listening_sessions').set({ counted: 1 }).where('id', '=', session_id).execute(),
    );
    const before = (await listensOf(ana)).listens;
    expect(before.map((one) => one.track_metadata.track_name)).toEqual([title, `${title}?`, `${title}?`]);
    const remove = async (listened_at: unknown, recording_msid: unknown) =>
      (await call('/1/delete-listen', { body: { listened_at, recording_msid } })).status;
    expect(await remove(before[0]!.listened_at, before[1]!.recording_msid)).toBe(200);
    expect(await rows()).toHaveLength(3);
    expect(await remove(before[0]!.listened_at, before[0]!.recording_msid)).toBe(200);
    expect(await remove(before[1]!.listened_at, before[1]!.recording_msid)).toBe(200);
    expect((await listensOf(ana)).listens).toEqual([before[2]]);
    for (const [at, msid] of [
      ['x', before[2]!.recording_msid],
      [1, 'x'],
      [1, undefined],
    ])
      expect(await remove(at, msid)).toBe(400);
    const ben = await world.someone(`ben${people}`);
    await call('/1/delete-listen', {
      by: `Token ${await tokenOf(ben, ['write'])}`,
      body: { listened_at: before[2]!.listened_at, recording_msid: before[2]!.recording_msid },
    });
    expect(await rows()).toHaveLength(1);
  });

  test('[LBZ1-18] how far a program has imported only moves forward', async () => {
    const latest = async (query = '') => (await call(`/1/latest-import${query}`)).body;
    expect(await latest(`?user_name=${ana.username}&service=lastfm`)).toEqual({
      musicbrainz_id: ana.username,
      latest_import: 0,
    });
    for (const ts of [500, 300, 700, 600]) await call('/1/latest-import?service=lastfm', { body: { ts } });
    expect(await latest()).toEqual({ musicbrainz_id: ana.username, latest_import: 700 });
    expect(await latest('?service=librefm')).toEqual({ musicbrainz_id: ana.username, latest_import: 0 });
    expect((await call('/1/latest-import?user_name=somebody-else')).status).toBe(404);
    for (const body of [{ ts: 'x' }, { ts: -1 }, [], { ts: 1.5 }])
      expect((await call('/1/latest-import', { body })).status).toBe(400);
  });

  test('[LBZ1-13] guests are answered and nothing of them is kept', async () => {
    const guest = await world.someone(`guest${people}`);
    await setRole(world.server.ctx, { username: guest.username, role: 'guest' });
    const by = `Token ${await tokenOf(guest, ['listen:write', 'read'])}`;
    expect((await submit(single(NOW() - 100, 'x'), by)).body).toEqual({ status: 'ok' });
    expect((await submit(playingNow('x'), by)).status).toBe(200);
    expect(await rows(guest)).toEqual([]);
    expect(
      (await call<{ payload: { count: number } }>(`/1/user/${guest.username}/playing-now`, { by })).body.payload.count,
    ).toBe(0);
  });

  test('[LBZ1-30] Navidrome: a body with its GET, a charset, listens in order', async () => {
    // https://github.com/navidrome/navidrome: core/scrobbler, ListenBrainz.BaseURL ends in `/1/`.
    const { request } = await import('node:http');
    const answer = await new Promise<string>((resolve, reject) => {
      const req = request(
        `${world.url}/1/validate-token`,
        {
          method: 'GET',
          headers: {
            authorization: `Token ${token}`,
            'content-type': 'application/json; charset=UTF-8',
            'content-length': '2',
          },
        },
        (res) => {
          res.setEncoding('utf8').on('data', resolve);
        },
      );
      req.on('error', reject).end('{}');
    });
    expect(JSON.parse(answer)).toEqual({
      code: 200,
      message: 'Token valid.',
      valid: true,
      user_name: ana.username,
    });
    const info = {
      submission_client: 'Navidrome',
      submission_client_version: '0.62',
      tracknumber: 3,
      artist_mbids: [],
      duration_ms: 200_000,
    };
    const listen = { listened_at: NOW() - 300, track_metadata: { ...meta('One', info), release_name: 'LP' } };
    const { status } = await call('/1/submit-listens', {
      body: { listen_type: 'single', payload: [listen] },
      headers: { 'content-type': 'application/json; charset=UTF-8' },
    });
    expect(status).toBe(200);
  });

  test('[LBZ1-31] Web Scrobbler: a preflight, fifty at once, and never a 400 for what is not wanted', async () => {
    const headers = {
      origin: 'chrome-extension://hhinaapppaileiechjoiifaancjggfjm',
      'content-type': 'application/json',
    };
    expect((await call('/1/submit-listens', { method: 'OPTIONS', by: null, headers })).status).toBe(204);
    const payload = Array.from({ length: 50 }, (_, i) => ({
      listened_at: i === 7 ? 0 : NOW() - 90_000 + i * 300,
      track_metadata: meta(`Song ${i}`, {
        duration: i === 9 ? 12 : 200,
        origin_url: 'https://music.example/watch',
        music_service: 'music.example',
      }),
    }));
    const { status, headers: answered } = await call('/1/submit-listens', {
      body: { listen_type: 'import', payload },
      headers,
    });
    expect([status, answered.get('access-control-allow-origin')]).toEqual([200, '*']);
    expect(await rows()).toHaveLength(48);
  });

  test('[LBZ1-32] Pano Scrobbler: asks for the MSID, reads the ends, deletes by it', async () => {
    const named = await call('/1/submit-listens?return_msid=true', { body: playingNow('Track') });
    const at = NOW() - 400;
    await submit(single(at, 'Track'));
    const page = await listensOf(ana, `?count=1&min_ts=${at - 1}&max_ts=${at + 1}`);
    expect(page.listens[0]?.recording_msid).toBe(named.body.recording_msid);
    expect([page.latest_listen_ts, page.oldest_listen_ts]).toEqual([at, at]);
    await call('/1/delete-listen', { body: { listened_at: at, recording_msid: named.body.recording_msid } });
    expect(await listensOf(ana)).toEqual({
      count: 0,
      user_id: ana.username,
      listens: [],
      latest_listen_ts: 0,
      oldest_listen_ts: 0,
    });
  });

  test('[LBZ1-33] multi-scrobbler: reads back what it sent before it sends again', async () => {
    const at = NOW() - 4_000;
    await submit(single(at, 'Loop', { duration_ms: 60_000 }));
    await submit(single(at + 60, 'Loop', { duration_ms: 60_000 }));
    const found = await listensOf(ana, `?min_ts=${at - 1}`);
    expect(found.listens.map((one) => one.listened_at)).toEqual([at + 60, at]);
    // From the other end of its clock: a few seconds off is the same, not a third.
    await submit(single(at + 3, 'Loop', { duration_ms: 60_000 }));
    expect(await rows()).toHaveLength(2);
  });
});
