import { once } from 'node:events';
import { createConnection } from 'node:net';
import express from 'express';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { DomainError } from '#domain/errors.ts';
import { readUpload, receiveUpload } from '#server/http/upload.ts';
import type { AddressInfo } from 'node:net';
import type { Server } from 'node:http';
import type { Request } from 'express';

const LIMIT_BYTES = 1_000;
let server: Server;
let port: number;
let take: (req: Request) => Promise<unknown>;

beforeAll(async () => {
  const app = express();
  app.post('/', (req, res) => {
    take(req).then(
      (answer) => res.json(answer),
      (error: unknown) => res.status(400).json(error instanceof DomainError ? error.code : String(error)),
    );
  });
  server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  port = (server.address() as AddressInfo).port;
});
afterAll(() => server.close());

async function send(body: FormData | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}): Promise<unknown> {
  const response = await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body, headers });
  return response.json();
}

function form(file: Uint8Array<ArrayBuffer> | null, fields: number, field = 'file'): FormData {
  const body = new FormData();
  for (let i = 0; i < fields; i++) body.append(`field-${i}`, 'x');
  if (file !== null) body.append(field, new File([file], 'a.bin'));
  return body;
}
const bytes = (count: number) => new Uint8Array(count).fill(65);

test.each([
  ['a file', form(bytes(10), 0), 0, { name: 'a.bin', size: 10 }],
  ['a file as large as may be', form(bytes(LIMIT_BYTES), 0), 0, { name: 'a.bin', size: LIMIT_BYTES }],
  ['a body as large as may be', bytes(LIMIT_BYTES), 0, { name: '', size: LIMIT_BYTES }],
  ['a file one byte too large', form(bytes(LIMIT_BYTES + 1), 0), 0, 'too_large'],
  ['a body one byte too large', bytes(LIMIT_BYTES + 1), 0, 'too_large'],
  ['a field where none may be', form(bytes(10), 1), 0, 'invalid'],
  ['as many fields as may be', form(bytes(10), 3), 3, { name: 'a.bin', size: 10 }],
  ['a field more', form(bytes(10), 4), 3, 'invalid'],
  ['a file in another field', form(bytes(10), 0, 'picture'), 0, 'invalid'],
  ['no file', form(null, 1), 1, 'invalid'],
  ['an empty file', form(bytes(0), 0), 0, 'invalid'],
  ['an empty body', bytes(0), 0, 'invalid'],
])('[HT21] %s', async (_what, body, fields, expected) => {
  take = async (req) => {
    const { name, bytes: got } = await readUpload(req, { limitBytes: LIMIT_BYTES, fields });
    return { name, size: got.length };
  };
  expect(await send(body)).toEqual(expected);
});

test('[HT21] a body of unknown length is refused as it grows, and the answer can be read', async () => {
  take = (req) => readUpload(req, { limitBytes: LIMIT_BYTES, fields: 0 });
  const body = new ReadableStream({
    start(controller) {
      for (let i = 0; i < 50; i++) controller.enqueue(bytes(LIMIT_BYTES));
      controller.close();
    },
  });
  const response = await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body, duplex: 'half' } as RequestInit);
  expect(await response.json()).toBe('too_large');
});

test('[HT21] what is wrong with the disk is not wrong with the form', async () => {
  for (const body of [form(bytes(10), 0), bytes(10)]) {
    take = (req) =>
      receiveUpload(req, { limitBytes: LIMIT_BYTES, fields: 0 }, async (file) => {
        for await (const _chunk of file) throw new DomainError('disk_full', 'No room left.');
      });
    expect(await send(body)).toBe('disk_full');
  }
});

test.each(['multipart/form-data; boundary=b', 'application/octet-stream'])(
  '[HT21] whoever takes %s that breaks off hears of it, and has ended before the caller does',
  async (type) => {
    const order: string[] = [];
    const ended = new Promise<void>((resolve) => {
      take = async (req) => {
        const taken = receiveUpload(req, { limitBytes: LIMIT_BYTES, fields: 0 }, async (file) => {
          try {
            for await (const _chunk of file) socket.destroy();
          } finally {
            order.push('taker');
          }
        });
        await taken.catch((error: DomainError) => order.push(error.code));
        resolve();
      };
    });
    const part = '--b\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\nbeginning';
    const socket = createConnection({ host: '127.0.0.1', port }, () =>
      socket.write(`POST / HTTP/1.1\r\nhost: a\r\ncontent-type: ${type}\r\ncontent-length: 900\r\n\r\n${part}`),
    );
    socket.on('error', () => {});
    await ended;
    expect(order).toEqual(['taker', 'malformed']);
  },
);
