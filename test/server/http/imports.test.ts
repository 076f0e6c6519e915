import { readdir, stat } from 'node:fs/promises';
import { request } from 'node:http';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { IMPORT_LIMIT_BYTES } from '#contract/jobs.ts';
import { createApiToken } from '#domain/accounts/api-tokens.ts';
import { LIMITS } from '#server/limits/limits.ts';
import { AMPLE } from '../../support/ample.ts';
import { gatewayClient } from '../../support/clients.ts';
import { DIALECTS } from '../../support/dialects.ts';
import { lastfmSeconds, lbLines, madeListens } from '../../support/exports.ts';
import { startIssuer } from '../../support/issuer.ts';
import { makeFolders, spawnServer } from '../../support/server.ts';
import { openWorld } from '../../support/world.ts';
import { restClient } from '../../support/clients.ts';
import type { Job } from '#contract/jobs.ts';
import type { Rest } from '../../support/clients.ts';
import type { Someone, World } from '../../support/world.ts';

/** The job as it is once it is over. */
async function over(rest: Rest, job_id: string): Promise<Job> {
  const endAtMs = Date.now() + 60_000;
  for (;;) {
    const job = await rest.get<Job>(`/jobs/${job_id}`);
    if (job.state !== 'queued' && job.state !== 'running') return job;
    if (Date.now() > endAtMs) throw new Error(`still ${job.state}: ${job.done} of ${job.total}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

interface Upload {
  status: number;
  body: { job_id?: string; code?: string; detail?: string };
}
async function upload(
  url: string,
  token: string,
  body: BodyInit,
  headers: Record<string, string> = {},
): Promise<Upload> {
  const response = await fetch(`${url}/api/v1/listen/import`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, ...headers },
    body,
  });
  return { status: response.status, body: (await response.json()) as Upload['body'] };
}
function form(content: string, field = 'file', more: Record<string, string> = {}): FormData {
  const made = new FormData();
  made.set(field, new Blob([content]), '../my past.csv');
  for (const [name, value] of Object.entries(more)) made.set(name, value);
  return made;
}

describe('bringing a past along', () => {
  let world: World;
  let ana: Someone;
  let folder: string;
  beforeAll(async () => {
    world = await openWorld(DIALECTS[0]!);
    ana = await world.someone('ana');
    folder = path.join(world.server.ctx.files.dataDir, 'imports');
  });
  afterAll(() => world.close());
  const count = async () => {
    const rows = await world.database.db.selectFrom('listening_sessions').select('id').execute();
    return rows.length;
  };

  test('[IM1-1] as the file of a form or as the body, under whatever type; told of live', async () => {
    const gateway = await gatewayClient(world.url, ana.token);
    try {
      const made = madeListens(20);
      const sent = await upload(world.url, ana.token, form(lastfmSeconds(made)));
      expect([sent.status, Object.keys(sent.body)]).toEqual([202, ['job_id']]);
      const end = await gateway.next('job:progress', ({ state }) => state === 'done');
      expect(end).toMatchObject({ job_id: sent.body.job_id, kind: 'listen_import' });
      const job = await over(ana.rest, sent.body.job_id!);
      expect(job).toMatchObject({
        title: 'my past.csv',
        state: 'done',
        report: { format: 'lastfm', read: 20, imported: 20 },
      });
      for (const type of ['application/zip', 'text/plain', 'application/json']) {
        const raw = await upload(world.url, ana.token, lbLines(made), { 'content-type': type });
        expect((await over(ana.rest, raw.body.job_id!)).report).toMatchObject({ format: 'listenbrainz', imported: 0 });
      }
      const { items } = await ana.rest.get<{ items: Job[] }>('/jobs');
      expect(items).toHaveLength(4);
      expect(await readdir(folder)).toEqual([]);
      expect(await count()).toBe(20);
    } finally {
      gateway.close();
    }
  });

  test('[IM1-1] what is no file is refused, and leaves nothing', async () => {
    const before = await count();
    const tries: [BodyInit, Record<string, string>, number][] = [
      ['', {}, 400],
      ['a=b', { 'content-type': 'application/x-www-form-urlencoded' }, 415],
      ['nonsense', { 'content-type': 'multipart/form-data; boundary=x' }, 400],
      ['nonsense', { 'content-type': 'multipart/form-data' }, 400],
      [form('x', 'other'), {}, 400],
      [form('x', 'file', { more: 'y' }), {}, 400],
      [form(''), {}, 400],
    ];
    for (const [body, headers, status] of tries) {
      expect((await upload(world.url, ana.token, body, headers)).status).toBe(status);
    }
    const { token } = await createApiToken(world.server.ctx, ana.id, { name: 'x', scopes: ['read', 'write'] });
    expect((await upload(world.url, token, 'x')).status).toBe(403);
    expect(await readdir(folder)).toEqual([]);
    expect([await count(), (await ana.rest.get<{ items: Job[] }>('/jobs')).items.length]).toEqual([before, 4]);
  });

  test('[IM1-2] more than 64 MB is 413, announced or not, and leaves nothing', { timeout: 60_000 }, async () => {
    const chunk = new Uint8Array(1_000_000).fill(0x78);
    const size = IMPORT_LIMIT_BYTES / chunk.length + 1;
    const announced = await upload(world.url, ana.token, new Blob(Array<Uint8Array<ArrayBuffer>>(size).fill(chunk)));
    expect([announced.status, announced.body.code]).toEqual([413, 'too_large']);
    let left = size;
    const stream = new ReadableStream({ pull: (to) => (left-- > 0 ? to.enqueue(chunk) : to.close()) });
    const response = await fetch(`${world.url}/api/v1/listen/import`, {
      method: 'POST',
      headers: { authorization: `Bearer ${ana.token}` },
      body: stream,
      duplex: 'half',
    } as RequestInit);
    expect(response.status).toBe(413);
    expect(await readdir(folder)).toEqual([]);
  });

  test('[IM1-2] an upload that is broken off leaves nothing; a file is the server’s alone', async () => {
    for (const type of ['text/csv', 'multipart/form-data; boundary=x']) {
      const req = request(`${world.url}/api/v1/listen/import`, {
        method: 'POST',
        headers: { authorization: `Bearer ${ana.token}`, 'content-type': type, 'content-length': 1_000_000 },
      });
      req.on('error', () => {});
      req.write('--x\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\n');
      req.write('x'.repeat(200_000));
      const written = async (wanted: boolean) => {
        const endAtMs = Date.now() + 10_000;
        while ((await readdir(folder)).length > 0 !== wanted) {
          if (Date.now() > endAtMs) throw new Error(`${type}: ${wanted ? 'nothing came' : 'something stayed'}`);
          await new Promise((resolve) => setTimeout(resolve, 10));
        }
      };
      await written(true);
      const [name] = await readdir(folder);
      expect((await stat(path.join(folder, name!))).mode & 0o777).toBe(0o600);
      expect((await stat(folder)).mode & 0o777).toBe(0o700);
      req.destroy();
      await written(false);
    }
    expect((await ana.rest.get<{ items: Job[] }>('/jobs')).items).toHaveLength(4);
  });

  test('[JB1-2] a second one meanwhile is 409; of others’ jobs nobody knows', async () => {
    const ben = await world.someone('ben');
    const first = await upload(world.url, ben.token, lbLines(madeListens(4_000)));
    const second = await upload(world.url, ben.token, lbLines(madeListens(1)));
    expect([first.status, second.status]).toEqual([202, 409]);
    for (const [method, at] of [
      ['GET', ''],
      ['GET', '/rows'],
      ['DELETE', ''],
    ] as const) {
      expect((await ana.rest.call(method, `/jobs/${first.body.job_id}${at}`)).status).toBe(404);
    }
    const asked = performance.now();
    expect((await ben.rest.call('DELETE', `/jobs/${first.body.job_id}`)).status).toBe(204);
    expect((await ben.rest.get<Job>(`/jobs/${first.body.job_id}`)).state).toBe('cancelled');
    expect(performance.now() - asked).toBeLessThan(1_000);
    await world.server.jobs.whenIdle();
    expect(await readdir(folder)).toEqual([]);
    expect((await upload(world.url, ben.token, lbLines(madeListens(1)))).status).toBe(202);
    await world.server.jobs.whenIdle();
  });

  test('[JB1-2] twenty a day', async () => {
    const small = await openWorld(DIALECTS[0]!, { limits: { ...AMPLE.limits, import: LIMITS.import } });
    try {
      const carl = await small.someone('carl');
      const statuses: number[] = [];
      for (let i = 0; i < 21; i++) statuses.push((await upload(small.url, carl.token, '')).status);
      expect(statuses).toEqual([...Array<number>(20).fill(400), 429]);
    } finally {
      await small.close();
    }
  });
});

describe('a server that ends while it imports', () => {
  test('[JB1-3] killed or stopped at any moment, it goes on exactly where it was', { timeout: 180_000 }, async () => {
    const issuer = await startIssuer();
    const folders = makeFolders();
    const made = madeListens(12_000);
    let program = await spawnServer(folders, { issuer });
    try {
      const token = await issuer.issueAccessToken(
        { sub: 'sub-ana', username: 'ana', roles: ['user'] },
        { exp: Math.floor(Date.now() / 1000) + 3600 },
      );
      let rest = restClient(program.url, token);
      await rest.get('/auth/profile');
      const { body } = await upload(program.url, token, lbLines(made));
      const seen: number[] = [];
      for (const end of ['kill', 'stop', 'kill'] as const) {
        // Some more of it than at the end before.
        for (;;) {
          const job = await rest.get<Job>(`/jobs/${body.job_id}`);
          expect(['queued', 'running']).toContain(job.state);
          if ((job.report?.imported ?? 0) > (seen.at(-1) ?? 0)) break;
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
        if (end === 'kill') await program.kill();
        else expect(await program.stop()).toBe(0);
        program = await spawnServer(folders, { issuer });
        rest = restClient(program.url, token);
        seen.push((await rest.get<Job>(`/jobs/${body.job_id}`)).report?.imported ?? 0);
      }
      const job = await over(rest, body.job_id!);
      expect(job).toMatchObject({
        state: 'done',
        report: { read: 12_000, imported: 12_000, reasons: { unmatched: 12_000 } },
      });
      process.stdout.write(`imports: ended after ${seen.join(', ')} of 12000 rows, then whole\n`);
      const again = await upload(program.url, token, lbLines(made));
      expect((await over(rest, again.body.job_id!)).report).toMatchObject({
        imported: 0,
        reasons: { duplicate: 12_000 },
      });
      expect(program.output()).not.toContain('Song ');
    } finally {
      await program.kill();
      await issuer.close();
      folders.remove();
    }
  });
});
