import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, get, request } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import express from 'express';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createScanner } from '#domain/library/scanner.ts';
import { serveCover, streamTrack } from '#server/http/media.ts';
import { sendProblem } from '#server/http/problem.ts';
import { parseRange } from '#server/media/byte-range.ts';
import { createImageProcess } from '#server/media/image-process.ts';
import { person, testCtx } from '../support/ctx.ts';
import { DIALECTS } from '../support/dialects.ts';
import { FORMATS, makeLibrary, makePng, makeTrack } from '../support/music/make-track.ts';
import type { Actor } from '#domain/context.ts';
import type { TestCtx } from '../support/ctx.ts';
import type { TestDatabase } from '../support/dialects.ts';
import type { IncomingMessage, Server } from 'node:http';
import type { AddressInfo } from 'node:net';

const folder = mkdtempSync(path.join(tmpdir(), 'media-'));
const root = path.join(folder, 'music');
const BIG = 'big.wav';
const STALL_MS = 300;
let database: TestDatabase;
let ctx: TestCtx;
let actor: Actor;
let server: Server;
const images = createImageProcess();
let base = '';
const ids = new Map<string, string>();
const url = (name: string, kind = 'stream') => `${base}/${ids.get(name) ?? name}/${kind}`;

async function scan(): Promise<void> {
  const scanner = createScanner(ctx);
  scanner.start();
  await scanner.whenIdle();
  for (const row of await ctx.db
    .selectFrom('tracks')
    .select(['id', 'track_path'])
    .where('missing_since', 'is', null)
    .execute()) {
    ids.set(row.track_path, row.id);
  }
}

beforeAll(async () => {
  const sqlite = DIALECTS.find((dialect) => dialect.name === 'sqlite');
  if (sqlite === undefined) throw new Error('no SQLite');
  database = await sqlite.open();
  ctx = testCtx(database, { musicDirs: [root], dataDir: path.join(folder, 'data') });
  actor = await person(ctx, 'lena');
  makeLibrary(root, {
    ...Object.fromEntries(
      FORMATS.map((format, i) => [
        `ü #${i} 50%.${format}`,
        { seconds: 0.5, frequency: 100 + i, cover: makePng(700, '#336699') },
      ]),
    ),
    [BIG]: { seconds: 300, frequency: 50 },
    'gone.wav': { seconds: 0.2, frequency: 500 },
    'swapped.wav': { seconds: 0.2, frequency: 510 },
    'plain.wav': { seconds: 0.2, frequency: 520 },
    'dir/below.wav': { seconds: 0.2, frequency: 530 },
    'truncated.flac': { seconds: 0.2, frequency: 540, cover: makePng(400, '#ff0000').subarray(0, 900) },
  });
  await scan();
  const cover = serveCover(ctx, images);
  const stream = streamTrack(ctx, { stallMs: STALL_MS });
  const app = express();
  app.get('/:id/:kind', async (req, res) => {
    try {
      const { id, kind } = req.params;
      await (kind === 'stream' ? stream : cover)(req, res, actor, id);
    } catch (error) {
      sendProblem(ctx, res, error);
    }
  });
  server = createServer(app).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  images.close();
  server.closeAllConnections();
  server.close();
  await database.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('streaming', () => {
  const TYPES = {
    mp3: 'audio/mpeg',
    flac: 'audio/flac',
    ogg: 'audio/ogg',
    opus: 'audio/ogg',
    m4a: 'audio/mp4',
    aac: 'audio/aac',
    wav: 'audio/wav',
  };

  test.each(FORMATS.map((format, i) => [format, `ü #${i} 50%.${format}`] as const))(
    '[LB20] %s comes whole, with its type, and HEAD says the same',
    async (format, name) => {
      const reply = await fetch(url(name));
      expect(reply.status).toBe(200);
      expect(Buffer.from(await reply.arrayBuffer()).equals(readFileSync(path.join(root, name)))).toBe(true);
      expect(reply.headers.get('content-type')).toBe(TYPES[format]);
      expect(reply.headers.get('accept-ranges')).toBe('bytes');
      expect(reply.headers.get('etag')).toMatch(/^"[\w-]+"$/);
      expect(reply.headers.get('cache-control')).toMatch(/^private/);
      expect(reply.headers.get('x-content-type-options')).toBe('nosniff');
      expect(reply.headers.get('cross-origin-resource-policy')).toBe('same-origin');
      const head = await fetch(url(name), { method: 'HEAD', headers: { range: 'bytes=0-1' } });
      expect(head.status).toBe(200);
      expect((await head.arrayBuffer()).byteLength).toBe(0);
      const shown = (headers: Headers) =>
        [...headers].filter(([header]) => !['date', 'connection', 'keep-alive'].includes(header));
      expect(shown(head.headers)).toEqual(shown(reply.headers));
    },
  );

  const SIZE = 1000;
  test.each([
    ['bytes=0-', 'part', 0, 999],
    ['bytes=0-0', 'part', 0, 0],
    ['bytes=10-19', 'part', 10, 19],
    ['bytes=990-5000', 'part', 990, 999],
    ['bytes=999-', 'part', 999, 999],
    ['bytes=-1', 'part', 999, 999],
    ['bytes=-5000', 'part', 0, 999],
    ['bytes=5-9223372036854775808', 'part', 5, 999],
    ['BYTES=1-2', 'part', 1, 2],
    ['bytes=1000-', 'unsatisfiable', null, null],
    ['bytes=9223372036854775808-', 'unsatisfiable', null, null],
    ['bytes=-0', 'unsatisfiable', null, null],
    ['bytes=5-1', 'whole', null, null],
    ['bytes=0-1,5-6', 'whole', null, null],
    [`bytes=${Array.from({ length: 1000 }, (_, i) => `${i}-`).join(',')}`, 'whole', null, null],
    ['bytes=-', 'whole', null, null],
    ['bytes=a-b', 'whole', null, null],
    ['bytes=0x1-', 'whole', null, null],
    ['items=0-1', 'whole', null, null],
    ['bytes 0-1', 'whole', null, null],
    ['', 'whole', null, null],
  ])('[LB21] the range %s of 1000 bytes is %s %s %s', (header, kind, start, end) => {
    expect(parseRange(header, SIZE)).toEqual(start === null ? { kind } : { kind, start, end });
  });
  test('[LB21] of an empty file no range exists', () => {
    expect([parseRange('bytes=0-', 0), parseRange('bytes=-5', 0)]).toEqual([
      { kind: 'unsatisfiable' },
      { kind: 'unsatisfiable' },
    ]);
  });

  test('[LB21] a range is answered with 206 and its bytes, one past the end with 416', async () => {
    const bytes = readFileSync(path.join(root, 'plain.wav'));
    const part = await fetch(url('plain.wav'), { headers: { range: 'bytes=100-299' } });
    expect([part.status, part.headers.get('content-range'), part.headers.get('content-length')]).toEqual([
      206,
      `bytes 100-299/${bytes.length}`,
      '200',
    ]);
    expect(Buffer.from(await part.arrayBuffer()).equals(bytes.subarray(100, 300))).toBe(true);
    const beyond = await fetch(url('plain.wav'), { headers: { range: `bytes=${bytes.length}-` } });
    expect([beyond.status, beyond.headers.get('content-range'), beyond.headers.get('content-type')]).toEqual([
      416,
      `bytes */${bytes.length}`,
      'application/problem+json; charset=utf-8',
    ]);
    expect(await beyond.json()).toMatchObject({ code: 'range_not_satisfiable' });
  });

  test('[LB22] the same version is not sent again, and a range of another version is the whole file', async () => {
    const first = await fetch(url('plain.wav'), { method: 'HEAD' });
    const etag = first.headers.get('etag') ?? '';
    const modified = first.headers.get('last-modified') ?? '';
    const status = async (headers: Record<string, string>) => {
      // Not fetch, which has its own mind about caching and conditional headers.
      const reply = await new Promise<IncomingMessage>((resolve, reject) =>
        get(url('plain.wav'), { headers }, resolve).on('error', reject),
      );
      reply.resume();
      return reply.statusCode;
    };
    expect(await status({ 'if-none-match': etag })).toBe(304);
    expect(await status({ 'if-none-match': `"x", W/${etag}` })).toBe(304);
    expect(await status({ 'if-none-match': '"x"', 'if-modified-since': modified })).toBe(200);
    expect(await status({ 'if-modified-since': modified })).toBe(304);
    expect(await status({ range: 'bytes=0-1', 'if-range': etag })).toBe(206);
    expect(await status({ range: 'bytes=0-1', 'if-range': modified })).toBe(206);
    expect(await status({ range: 'bytes=0-1', 'if-range': '"other"' })).toBe(200);
    expect(await status({ range: 'bytes=0-1', 'if-range': `W/${etag}` })).toBe(200);
    makeLibrary(root, { 'plain.wav': { seconds: 0.2, frequency: 520, title: 'Retagged' } });
    expect(await status({ 'if-none-match': etag })).toBe(200);
  });

  test('[LB23] only what lies under a root is opened: swapped links, vanished files and strange ids are 404', async () => {
    const secret = path.join(folder, 'secret.wav');
    writeFileSync(secret, makeTrack('wav', { seconds: 0.2, title: 'SECRET' }));
    unlinkSync(path.join(root, 'swapped.wav'));
    symlinkSync(secret, path.join(root, 'swapped.wav'));
    unlinkSync(path.join(root, 'gone.wav'));
    mkdirSync(path.join(folder, 'out'));
    writeFileSync(path.join(folder, 'out/below.wav'), readFileSync(secret));
    rmSync(path.join(root, 'dir'), { recursive: true });
    symlinkSync(path.join(folder, 'out'), path.join(root, 'dir'));
    for (const name of [
      'swapped.wav',
      'gone.wav',
      'dir/below.wav',
      'x'.repeat(22),
      '..%2f..%2fsecret.wav',
      '%00',
      'plain.wav%00',
      '%2fetc%2fpasswd',
      "' or 1=1 --",
    ]) {
      const reply = await fetch(url(name));
      expect([name, reply.status, ((await reply.json()) as { code: string }).code]).toEqual([name, 404, 'not_found']);
    }
    // A fifo in the place of a file must not hang the request.
    rmSync(path.join(root, 'swapped.wav'));
    execFileSync('mkfifo', [path.join(root, 'swapped.wav')]);
    expect((await fetch(url('swapped.wav'))).status).toBe(404);
  });

  const openFiles = () =>
    readdirSync('/proc/self/fd').filter((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`).includes(BIG);
      } catch {
        // It was the handle of the listing itself.
        return false;
      }
    }).length;
  async function until(isTrue: () => boolean): Promise<void> {
    await expect.poll(isTrue, { timeout: 10_000, interval: 5 }).toBe(true);
  }

  test('[LB24] at most eight streams a person; an aborted one gives its place and its file back', async () => {
    const open = () =>
      new Promise<IncomingMessage>((resolve, reject) => {
        get(url(BIG), (reply) => {
          reply.on('error', () => {});
          // A player that keeps reading a little.
          const timer = setInterval(() => reply.read(1000), 20);
          reply.on('close', () => clearInterval(timer));
          resolve(reply);
        }).on('error', reject);
      });
    const replies = await Promise.all(Array.from({ length: 8 }, open));
    expect(replies.map((reply) => reply.statusCode)).toEqual(Array(8).fill(200));
    const ninth = await fetch(url(BIG));
    expect([ninth.status, ninth.headers.get('retry-after')]).toEqual([429, '5']);
    expect((await fetch(url(BIG), { method: 'HEAD' })).status).toBe(200);
    for (const reply of replies) reply.destroy();
    await until(() => openFiles() === 0);
    for (let i = 0; i < 100; i++) {
      const controller = new AbortController();
      const reply = await fetch(url(BIG), { signal: controller.signal });
      expect(reply.status).toBe(200);
      controller.abort();
      await until(() => openFiles() < 8);
    }
    await until(() => openFiles() === 0);
  });

  test('[LB24] a reader that takes nothing is cut off', async () => {
    const ended = await new Promise<boolean>((resolve, reject) => {
      const asked = request(url(BIG), (reply) => {
        expect(reply.statusCode).toBe(200);
        reply.pause();
        reply.on('error', () => {});
        reply.on('aborted', () => resolve(true));
        // Nothing is read until the server has given up; then what the sockets hold runs out before the promised length.
        setTimeout(() => reply.resume(), STALL_MS * 4);
        reply.on('end', () => resolve(!reply.complete));
      });
      asked.on('error', reject);
      asked.end();
    });
    expect(ended).toBe(true);
    await until(() => openFiles() === 0);
  });
});

describe('covers', () => {
  const NAME = 'ü #0 50%.mp3';

  test('[LB8] a cover comes as webp in the size asked for, and is kept', async () => {
    for (const size of [96, 320, 640]) {
      const reply = await fetch(`${url(NAME, 'cover')}?size=${size}`);
      expect([reply.status, reply.headers.get('content-type'), reply.headers.get('x-content-type-options')]).toEqual([
        200,
        'image/webp',
        'nosniff',
      ]);
      const picture = await sharp(Buffer.from(await reply.arrayBuffer())).metadata();
      expect([picture.format, picture.width, picture.height]).toEqual(['webp', size, size]);
      const again = await fetch(`${url(NAME, 'cover')}?size=${size}`, {
        headers: { 'if-none-match': reply.headers.get('etag') ?? '' },
      });
      expect(again.status).toBe(304);
    }
    const head = await fetch(url(NAME, 'cover'), { method: 'HEAD' });
    expect([head.status, Number(head.headers.get('content-length')) > 0]).toEqual([200, true]);
    const kept = readdirSync(path.join(folder, 'data/covers'), { recursive: true, encoding: 'utf8' });
    expect(kept.filter((name) => name.endsWith('.webp'))).toHaveLength(3);
    expect(kept.filter((name) => name.endsWith('.tmp'))).toHaveLength(0);
  });

  test.each(['?size=100', '?size=abc', '?size=96&size=320', '?other=1', '?size=-1'])(
    '[LB8] the query %s is refused',
    async (query) => {
      const reply = await fetch(url(NAME, 'cover') + query);
      expect([reply.status, ((await reply.json()) as { code: string }).code]).toEqual([400, 'invalid']);
    },
  );

  test('[LB8] no cover, a broken one and a bomb are 404, soon, and the next one still works', async () => {
    expect((await fetch(url(BIG, 'cover'))).status).toBe(404);
    expect((await fetch(url('truncated.flac', 'cover'))).status).toBe(404);
    const bomb = await sharp({ create: { width: 6000, height: 6000, channels: 3, background: '#000' } })
      .png()
      .toBuffer();
    makeLibrary(root, {
      'bomb.flac': { seconds: 0.2, frequency: 800, cover: bomb },
      'next.flac': { seconds: 0.2, frequency: 810, cover: makePng(50, '#00ff00') },
    });
    await scan();
    const startedMs = performance.now();
    expect((await fetch(url('bomb.flac', 'cover'))).status).toBe(404);
    expect(performance.now() - startedMs).toBeLessThan(5000);
    const next = await fetch(url('next.flac', 'cover'));
    expect((await sharp(Buffer.from(await next.arrayBuffer())).metadata()).width).toBe(50);
  });

  test('[LB8] of an animation only the first picture is decoded, and nothing of its metadata is left', async () => {
    const frames = await Promise.all(
      ['#f00', '#0f0'].map((background) =>
        sharp({ create: { width: 40, height: 40, channels: 3, background } })
          .png()
          .toBuffer(),
      ),
    );
    const animated = await sharp(frames, { join: { animated: true } })
      .withExif({ IFD0: { Copyright: 'CANARY-EXIF' } })
      .webp()
      .toBuffer();
    makeLibrary(root, { 'animated.flac': { seconds: 0.2, frequency: 820, cover: animated } });
    await scan();
    const reply = await fetch(url('animated.flac', 'cover'));
    const bytes = Buffer.from(await reply.arrayBuffer());
    expect(animated.includes('CANARY-EXIF')).toBe(true);
    expect(bytes.includes('CANARY-EXIF')).toBe(false);
    expect((await sharp(bytes).metadata()).pages ?? 1).toBe(1);
  });
});
