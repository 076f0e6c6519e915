import { readFileSync, readdirSync } from 'node:fs';
import { createConnection } from 'node:net';
import { deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newIds } from '#server/ids.ts';
import { frameCount, imageKind } from '#server/media/image-kind.ts';
import { DIALECTS } from '../../support/dialects.ts';
import { animatedPng, animatedWebp, noise, plain, pngBomb, pngWith, sideways } from '../../support/pictures.ts';
import { openWorld } from '../../support/world.ts';
import type { Me, Profile } from '#contract/accounts.ts';
import type { Problem } from '#contract/problems.ts';
import type { Someone, World } from '../../support/world.ts';

const PNG = { 'content-type': 'image/png' };

/** What a browser's form sends. */
function form(parts: Record<string, Buffer | string>): FormData {
  const data = new FormData();
  for (const [name, value] of Object.entries(parts)) {
    data.append(name, typeof value === 'string' ? value : new Blob([new Uint8Array(value)], { type: 'image/png' }));
  }
  return data;
}

function caller(world: () => World) {
  return {
    send(
      headers: Record<string, string>,
      body: Buffer | FormData | string,
      { method = 'POST', path = '/user/avatar' } = {},
    ): Promise<Response> {
      return fetch(`${world().url}/api/v1${path}`, {
        method,
        headers,
        body: Buffer.isBuffer(body) ? new Uint8Array(body) : body,
      });
    },
    /** The bytes at an address of ours. */
    async picture(who: Someone, address: string | null): Promise<Response> {
      return fetch(new URL(address ?? 'none', world().url), { headers: bearer(who) });
    },
  };
}
const bearer = (who: Someone) => ({ authorization: `Bearer ${who.token}` });

describe.each(DIALECTS)('pictures of people on $name', (dialect) => {
  let world: World;
  let ana: Someone;
  let ben: Someone;
  let guest: Someone;
  let admin: Someone;
  let png: Buffer;
  const { send, picture } = caller(() => world);
  beforeAll(async () => {
    world = await openWorld(dialect);
    [ana, ben] = [await world.someone('ana'), await world.someone('ben')];
    guest = await world.someone('visitor', { roles: ['guest'] });
    admin = await world.someone('boss', { roles: ['admin'] });
    png = await plain({ width: 400, height: 300 }).png().toBuffer();
  });
  afterAll(() => world.close());

  test('[AV1] a picture is taken as a body or as a form’s file, and is a square WebP afterwards', async () => {
    const addresses: (string | null)[] = [];
    for (const [type, bytes] of [
      ['image/png', png],
      ['image/jpeg', await plain({ width: 300, height: 400 }).jpeg().toBuffer()],
      ['image/webp', await plain({ width: 20, height: 20 }).webp().toBuffer()],
      // What it is called does not matter, what it is does.
      ['image/png; charset=x', await plain({ width: 9, height: 9 }).jpeg().toBuffer()],
      ['form', png],
    ] as const) {
      const answer =
        type === 'form'
          ? await send(bearer(ana), form({ file: bytes }))
          : await send({ ...bearer(ana), 'content-type': type }, bytes);
      expect([type, answer.status]).toEqual([type, 200]);
      expect(answer.headers.get('cache-control')).toBe('private, no-store');
      const profile = (await answer.json()) as Profile;
      expect(await ana.rest.get<Profile>('/user/profile')).toEqual(profile);
      expect((await ana.rest.get<Me>('/auth/profile')).avatar_url).toBe(profile.avatar_url);
      addresses.push(profile.avatar_url);
      const shown = await picture(ben, profile.avatar_url);
      expect(shown.status).toBe(200);
      const { format, width, height, pages } = await sharp(Buffer.from(await shown.arrayBuffer())).metadata();
      expect({ format, width, height, pages }).toEqual({ format: 'webp', width: 256, height: 256, pages: undefined });
    }
    // Each has an address of its own, and only the last is there.
    expect(new Set(addresses).size).toBe(addresses.length);
    const found = await Promise.all(addresses.map(async (address) => (await picture(ben, address)).status));
    expect(found).toEqual([404, 404, 404, 404, 200]);
    expect(await world.database.db.selectFrom('avatars').select('user_id').execute()).toEqual([{ user_id: ana.id }]);
  });

  test('[AV2] it is served to who is signed in, guests too, as nothing but a picture', async () => {
    const { avatar_url } = (await (await send({ ...bearer(ana), ...PNG }, png)).json()) as Profile;
    const shown = await picture(guest, avatar_url);
    const etag = shown.headers.get('etag') ?? '';
    expect(Object.fromEntries(shown.headers)).toMatchObject({
      'content-type': 'image/webp',
      'x-content-type-options': 'nosniff',
      'content-security-policy': "default-src 'none'; sandbox",
      'cross-origin-resource-policy': 'same-origin',
      'cache-control': 'private, max-age=31536000, immutable',
      etag: `"${avatar_url?.split('/').at(-1)}"`,
    });
    const again = await fetch(new URL(avatar_url ?? '', world.url), {
      headers: { ...bearer(guest), 'if-none-match': etag },
    });
    expect([again.status, await again.text()]).toEqual([304, '']);
    const head = await fetch(new URL(avatar_url ?? '', world.url), { method: 'HEAD', headers: bearer(ben) });
    expect([head.status, head.headers.get('content-length')]).toEqual([200, shown.headers.get('content-length')]);
    expect((await fetch(new URL(avatar_url ?? '', world.url))).status).toBe(401);
    for (const id of [newIds.id(), 'x', '..%2F..%2Fetc%2Fpasswd', '%00', ana.id, `${'a'.repeat(400)}`]) {
      expect([id, (await picture(ana, `/api/v1/avatars/${id}`)).status]).toEqual([id, 404]);
    }
    const { paths } = (await (await fetch(`${world.url}/api/v1/openapi.json`)).json()) as {
      paths: Record<string, Record<string, { requestBody?: { content: Record<string, unknown> } }>>;
    };
    expect(Object.keys(paths['/avatars/{avatar_id}'] ?? {})).toEqual(['get']);
    expect(Object.keys(paths['/user/avatar'] ?? {}).sort()).toEqual(['delete', 'post']);
    expect(Object.keys(paths['/user/avatar']?.post?.requestBody?.content ?? {})).toEqual([
      'image/png',
      'image/jpeg',
      'image/webp',
      'multipart/form-data',
    ]);
    const put = await send(bearer(ana), '{}', { method: 'PUT', path: '/user/avatar' });
    expect([put.status, put.headers.get('allow')]).toEqual([405, 'DELETE, POST']);
  });

  test('[AV3] who took a picture away has none, and twice is once', async () => {
    const { avatar_url } = (await (await send({ ...bearer(ben), ...PNG }, png)).json()) as Profile;
    for (let i = 0; i < 2; i++) expect((await ben.rest.call('DELETE', '/user/avatar')).status).toBe(204);
    expect((await ben.rest.get<Profile>('/user/profile')).avatar_url).toBeNull();
    expect((await picture(ben, avatar_url)).status).toBe(404);
    expect((await ana.rest.get<Profile>('/user/profile')).avatar_url).not.toBeNull();
  });

  test('[AV3] two at once leave one, and its address works', async () => {
    const answers = await Promise.all(Array.from({ length: 6 }, () => send({ ...bearer(admin), ...PNG }, png)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 200]);
    const { avatar_url } = await admin.rest.get<Profile>('/user/profile');
    expect((await picture(ana, avatar_url)).status).toBe(200);
    const rows = await world.database.db.selectFrom('avatars').select('id').where('user_id', '=', admin.id).execute();
    expect(rows).toHaveLength(1);
  });

  test('[AV4] nobody, a guest, and another site’s form change nothing', async () => {
    const before = await world.database.db.selectFrom('avatars').select(['id', 'user_id']).execute();
    const { cookie } = await world.signIn(ben);
    const file = () => form({ file: png });
    const table: [string, Record<string, string>, number, string][] = [
      ['nobody', {}, 401, 'unauthenticated'],
      ['a guest', bearer(guest), 403, 'forbidden'],
      ['a cookie of no browser', { cookie }, 403, 'foreign_origin'],
      ['another site', { cookie, origin: 'https://evil.example' }, 403, 'foreign_origin'],
      ['another site, by metadata', { cookie, 'sec-fetch-site': 'cross-site' }, 403, 'foreign_origin'],
      ['a sandbox', { cookie, origin: 'null' }, 403, 'foreign_origin'],
    ];
    for (const [who, headers, status, code] of table) {
      const answer = await send(headers, file());
      expect([who, answer.status, ((await answer.json()) as Problem).code]).toEqual([who, status, code]);
    }
    expect((await guest.rest.call('DELETE', '/user/avatar')).status).toBe(403);
    expect(await world.database.db.selectFrom('avatars').select(['id', 'user_id']).execute()).toEqual(before);
    const own = await send({ cookie, origin: world.url }, file());
    expect(own.status).toBe(200);
  });

  test('[AV5] what is no such request is refused with the reason', async () => {
    const MB2 = 2_000_000;
    const table: [string, Record<string, string>, Buffer | FormData | string, number, string][] = [
      ['no type', {}, png, 415, 'unsupported_type'],
      ['JSON', { 'content-type': 'application/json' }, '{}', 415, 'unsupported_type'],
      ['SVG by name', { 'content-type': 'image/svg+xml' }, png, 415, 'unsupported_type'],
      ['GIF by name', { 'content-type': 'image/gif' }, png, 415, 'unsupported_type'],
      ['an encoding', { ...PNG, 'content-encoding': 'gzip' }, png, 415, 'unsupported_type'],
      ['an empty body', PNG, Buffer.alloc(0), 400, 'invalid'],
      ['2 MB + 1', PNG, Buffer.alloc(MB2 + 1), 413, 'too_large'],
      ['2 MB + 1 in a form', {}, form({ file: Buffer.alloc(MB2 + 1) }), 413, 'too_large'],
      ['8 MB', PNG, Buffer.alloc(4 * MB2), 413, 'too_large'],
      ['an empty form', {}, form({}), 400, 'invalid'],
      ['an empty file', {}, form({ file: Buffer.alloc(0) }), 400, 'invalid'],
      ['another field', {}, form({ picture: png }), 400, 'invalid'],
      ['a text in place of the file', {}, form({ file: 'text' }), 400, 'invalid'],
      ['a field beside it', {}, form({ file: png, user_id: ana.id }), 400, 'invalid'],
      ['a file beside it', {}, form({ file: png, other: png }), 400, 'invalid'],
      ['no boundary', { 'content-type': 'multipart/form-data' }, 'x', 400, 'malformed'],
      ['no end', { 'content-type': 'multipart/form-data; boundary=b' }, '--b\r\nx', 400, 'malformed'],
    ];
    const before = await world.database.db.selectFrom('avatars').select(['id', 'user_id']).execute();
    for (const [what, headers, body, status, code] of table) {
      const answer = await send({ ...bearer(ana), ...headers }, body);
      expect([what, answer.status, ((await answer.json()) as Problem).code]).toEqual([what, status, code]);
    }
    expect(await world.database.db.selectFrom('avatars').select(['id', 'user_id']).execute()).toEqual(before);
    // A form that is broken off leaves nothing waiting: the next is taken.
    await new Promise<void>((resolve, reject) => {
      const { hostname, port } = new URL(world.url);
      const socket = createConnection(Number(port), hostname, () => {
        socket.write(
          `POST /api/v1/user/avatar HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${ana.token}\r\n` +
            'Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 5000\r\n\r\n' +
            '--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nabc',
          () => socket.destroy(),
        );
      });
      socket.once('close', () => resolve());
      socket.once('error', reject);
    });
    expect((await send({ ...bearer(ana), ...PNG }, png)).status).toBe(200);
  });

  test('[AV5] two MB are taken', async () => {
    const big = await noise(815, 815).png({ compressionLevel: 0 }).toBuffer();
    expect(big.length).toBeGreaterThan(1_990_000);
    expect(big.length).toBeLessThanOrEqual(2_000_000);
    expect((await send({ ...bearer(ana), ...PNG }, big)).status).toBe(200);
  });
});

describe('hostile pictures (trust.md E5)', () => {
  let world: World;
  let ana: Someone;
  const { send, picture } = caller(() => world);
  beforeAll(async () => {
    world = await openWorld(DIALECTS[0]!);
    ana = await world.someone('ana');
  });
  afterAll(() => world.close());

  /** The process that decodes pictures, if it runs: a child of this one. */
  function decoders(): number[] {
    return readdirSync('/proc/self/task').flatMap((thread) =>
      readFileSync(`/proc/self/task/${thread}/children`, 'utf8')
        .split(' ')
        .filter((pid) => pid.trim() !== '' && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('image-child'))
        .map(Number),
    );
  }

  test('[AV6] orientation is applied, and nothing of what a camera wrote is left', async () => {
    const camera = await sideways();
    for (const word of ['SECRET-OWNER', 'Exif']) expect(camera.includes(word)).toBe(true);
    expect((await sharp(camera).metadata()).orientation).toBe(6);
    const { avatar_url } = (await (await send({ ...bearer(ana), ...PNG }, camera)).json()) as Profile;
    const webp = Buffer.from(await (await picture(ana, avatar_url)).arrayBuffer());
    for (const word of ['SECRET-OWNER', 'Exif', 'EXIF', 'GPS', 'ICCP', 'XMP']) expect(webp.includes(word)).toBe(false);
    const { exif, icc, xmp, orientation } = await sharp(webp).metadata();
    expect({ exif, icc, xmp, orientation }).toEqual({});
    const { data } = await sharp(webp).raw().toBuffer({ resolveWithObject: true });
    const pixel = (x: number, y: number) => [...data.subarray((y * 256 + x) * 3, (y * 256 + x) * 3 + 3)];
    const [top, bottom] = [pixel(128, 20), pixel(128, 235)];
    // Turned clockwise, what was on the left is on top.
    expect(top[0]! > 200 && top[2]! < 60).toBe(true);
    expect(bottom[2]! > 200 && bottom[0]! < 60).toBe(true);
  });

  test('[AV6] a polyglot’s tail, a comment and a profile are gone', async () => {
    const tails = ['<script>alert(1)</script>', 'PK\x03\x04 evil.zip', '%PDF-1.7', '<?php evil(); ?>'];
    const picture8 = await plain({ width: 64, height: 64 }).png().toBuffer();
    for (const bytes of [
      Buffer.concat([picture8, Buffer.from(tails.join('\n'), 'latin1')]),
      pngWith([['tEXt', Buffer.from(`Comment\0${tails.join('\n')}`, 'latin1')]]),
      pngWith([['zTXt', Buffer.concat([Buffer.from('Comment\0\0'), deflateSync(Buffer.from(tails.join('\n')))])]]),
    ]) {
      const answer = await send({ ...bearer(ana), ...PNG }, bytes);
      expect(answer.status).toBe(200);
      const { avatar_url } = (await answer.json()) as Profile;
      const webp = Buffer.from(await (await picture(ana, avatar_url)).arrayBuffer());
      for (const tail of tails) expect(webp.includes(tail.slice(0, 12))).toBe(false);
      expect(webp.readUInt32LE(4) + 8).toBe(webp.length);
    }
  });

  test('[AV7] what is no picture of ours, or made to hurt, is refused within two seconds, and the server stays small', async () => {
    const still = await plain({ width: 600, height: 600 }).png().toBuffer();
    const jpeg = await noise(600, 600).jpeg().toBuffer();
    const webp = await noise(300, 300).webp().toBuffer();
    const gif = await plain({ width: 4, height: 4 }).gif().toBuffer();
    const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>');
    const hugeJpeg = Buffer.from(jpeg);
    const sof = hugeJpeg.indexOf(Buffer.from([0xff, 0xc0]));
    hugeJpeg.writeUInt16BE(65_000, sof + 5);
    hugeJpeg.writeUInt16BE(65_000, sof + 7);
    const table: [string, Buffer, number][] = [
      ['SVG with script', svg, 415],
      ['SVG behind a BOM', Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), svg]), 415],
      ['GIF', gif, 415],
      ['TIFF', await plain({ width: 4, height: 4 }).tiff().toBuffer(), 415],
      ['AVIF', await plain({ width: 16, height: 16 }).avif().toBuffer(), 415],
      ['HTML', Buffer.from('<!doctype html><script>alert(1)</script>'), 415],
      ['a GIF that is a script', Buffer.from('GIF89a/*'), 415],
      ['PDF', Buffer.from('%PDF-1.7'), 415],
      ['noise', Buffer.from(newIds.secret()), 415],
      ['SVG after a PNG’s first bytes', Buffer.concat([still.subarray(0, 8), svg]), 422],
      ['SVG after a WebP’s first bytes', Buffer.concat([webp.subarray(0, 12), svg]), 422],
      ['SVG after a JPEG’s first bytes', Buffer.concat([jpeg.subarray(0, 3), svg]), 422],
      ['a PNG of 268 megapixels', pngBomb(16_384), 422],
      ['a PNG of 24.01 megapixels', pngBomb(4_904), 422],
      ['a JPEG that says to have 4 gigapixels', hugeJpeg, 422],
      ['a truncated PNG', still.subarray(0, still.length >> 1), 422],
      ['a truncated JPEG', jpeg.subarray(0, jpeg.length >> 1), 422],
      ['a truncated WebP', webp.subarray(0, webp.length >> 1), 422],
      ['a PNG’s first bytes alone', still.subarray(0, 8), 422],
      [
        'a PNG with a damaged middle',
        Buffer.concat([still.subarray(0, 60), Buffer.alloc(40), still.subarray(100)]),
        422,
      ],
      ['a WebP of 10,000 frames', await animatedWebp(10_000), 422],
      ['an APNG of 10,000 frames', animatedPng(10_000), 422],
    ];
    expect((await send({ ...bearer(ana), ...PNG }, await plain({ width: 9, height: 9 }).png().toBuffer())).status).toBe(
      200,
    );
    const [decoder] = decoders();
    expect(decoder).toBeGreaterThan(0);
    const before = await ana.rest.get<Profile>('/user/profile');
    const rssBefore = process.memoryUsage.rss();
    let rssPeak = rssBefore;
    const took: [string, number][] = [];
    for (const [what, bytes, status] of table) {
      expect([what, bytes.length <= 2_000_000]).toEqual([what, true]);
      for (const body of [bytes, form({ file: bytes })]) {
        const began = performance.now();
        const answer = await send({ ...bearer(ana), ...(Buffer.isBuffer(body) ? PNG : {}) }, body);
        took.push([what, performance.now() - began]);
        rssPeak = Math.max(rssPeak, process.memoryUsage.rss());
        expect([what, answer.status]).toEqual([what, status]);
      }
    }
    const [slowest, slowestMs] = took.reduce((a, b) => (a[1] > b[1] ? a : b));
    const rssGrowth = (rssPeak - rssBefore) / 1e6;
    const peak = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${decoders()[0]}/status`, 'utf8'))?.[1];
    console.log(
      `${took.length} hostile uploads: slowest ${slowestMs.toFixed(0)} ms (${slowest}), server +${rssGrowth.toFixed(0)} MB, ` +
        `decoder at most ${(Number(peak) / 1000).toFixed(0)} MB`,
    );
    expect(slowestMs).toBeLessThan(2_000);
    expect(rssGrowth).toBeLessThan(100);
    expect(await ana.rest.get<Profile>('/user/profile')).toEqual(before);
    expect((await send({ ...bearer(ana), ...PNG }, still)).status).toBe(200);
  });

  test('[AV7] a short animation is its first frame; the limits of frames and pixels are where they are said to be', async () => {
    for (const [bytes, frames, status] of [
      [await animatedWebp(20), 20, 200],
      [await animatedWebp(500), 500, 200],
      [await animatedWebp(501), 501, 422],
      [animatedPng(500), 500, 200],
      [animatedPng(501), 501, 422],
      // Just below 24 megapixels.
      [pngBomb(4_896), 1, 200],
    ] as const) {
      expect(frameCount(bytes)).toBe(frames);
      expect([frames, (await send({ ...bearer(ana), ...PNG }, bytes)).status]).toEqual([frames, status]);
    }
  });

  test('[AV8] a decoder that dies is started again', async () => {
    const png = await plain({ width: 30, height: 30 }).png().toBuffer();
    expect((await send({ ...bearer(ana), ...PNG }, png)).status).toBe(200);
    const [first] = decoders();
    process.kill(first!, 'SIGKILL');
    // While it dies, a picture may still be handed to it: that one is refused, the next is not.
    const statuses: number[] = [];
    for (let i = 0; i < 3; i++) statuses.push((await send({ ...bearer(ana), ...PNG }, png)).status);
    expect(statuses.slice(1)).toEqual([200, 200]);
    expect([200, 422]).toContain(statuses[0]);
    expect(decoders()).not.toContain(first);
    expect(decoders()).toHaveLength(1);
  });

  test('[AV7] kinds and frames are told by bytes, however short', () => {
    for (const text of ['', '\x89', '\x89PNG\r\n\x1a', 'RIFF', 'RIFF0000WEB', '\xff\xd8', 'GIF89a']) {
      expect([text, imageKind(Buffer.from(text, 'latin1'))]).toEqual([text, null]);
    }
    for (const text of [
      '\x89PNG\r\n\x1a\n',
      '\x89PNG\r\n\x1a\n\xff\xff\xff\xffacTL',
      'RIFF0000WEBPANMF\xff\xff\xff\xff',
    ]) {
      expect(frameCount(Buffer.from(text, 'latin1'))).toBe(1);
    }
  });
});
