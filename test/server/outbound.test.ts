import { once } from 'node:events';
import { createServer } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { OutboundError, isPublicAddress, outbound } from '#server/outbound.ts';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';

describe('requests to other servers', () => {
  let server: Server;
  let url: string;
  let connections = 0;
  beforeAll(async () => {
    server = createServer((req, res) => {
      if (req.url === '/big') return void res.end(Buffer.alloc(100_000));
      if (req.url === '/redirect') return void res.writeHead(302, { location: '/echo' }).end();
      if (req.url === '/loop') return void res.writeHead(302, { location: '/loop' }).end();
      if (req.url === '/to-metadata')
        return void res.writeHead(302, { location: 'http://169.254.169.254/latest' }).end();
      if (req.url === '/slow') return;
      if (req.url === '/empty') return void res.writeHead(204).end();
      let body = '';
      req.on('data', (chunk) => (body += String(chunk)));
      req.on('end', () =>
        res
          .setHeader('content-type', 'application/json')
          .end(JSON.stringify({ method: req.method, body, type: req.headers['content-type'] })),
      );
    });
    server.on('connection', () => connections++);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  test('[ID60] a trusted address on loopback is called, with form fields and an answer like fetch has', async () => {
    const answer = await outbound({ trusted: true })(`${url}/echo`, {
      method: 'POST',
      body: new URLSearchParams({ a: 'b c' }),
    });
    expect(answer).toBeInstanceOf(Response);
    expect(await answer.json()).toEqual({
      method: 'POST',
      body: 'a=b+c',
      type: 'application/x-www-form-urlencoded;charset=UTF-8',
    });
    expect((await outbound({ trusted: true })(`${url}/empty`)).status).toBe(204);
  });

  test('[ID60] time, size and redirects are bounded', async () => {
    const trusted = { trusted: true };
    await expect(outbound({ ...trusted, timeoutMs: 100 })(`${url}/slow`)).rejects.toThrow(/in time/);
    await expect(outbound({ ...trusted, maxBytes: 1000 })(`${url}/big`)).rejects.toThrow(/larger/);
    expect((await outbound(trusted)(`${url}/redirect`)).status).toBe(302);
    expect((await outbound({ ...trusted, redirects: 1 })(`${url}/redirect`)).status).toBe(200);
    expect((await outbound({ ...trusted, redirects: 9 })(`${url}/loop`)).status).toBe(302);
    await expect(outbound({ ...trusted, redirects: 1 })(`${url}/to-metadata`)).rejects.toThrow(OutboundError);
  });

  test.each(['http://login.example.org/x', 'ftp://example.org/', 'file:///etc/passwd', 'https://user:pw@example.org/'])(
    '[ID60] %s is refused even when trusted',
    async (address) => {
      await expect(outbound({ trusted: true })(address)).rejects.toThrow(OutboundError);
    },
  );

  test.each([
    '127.0.0.1',
    '127.1',
    '0x7f000001',
    '2130706433',
    '017700000001',
    '[::1]',
    '[::]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '[64:ff9b::7f00:1]',
    '[2002:7f00:1::]',
    '[fd00::1]',
    '[fe80::1]',
    '169.254.169.254',
    '10.0.0.1',
    '172.16.0.1',
    '192.168.1.1',
    '100.64.0.1',
    '0.0.0.0',
    '224.0.0.1',
    '255.255.255.255',
    'localhost',
    'localhost.',
  ])('[ID61] an address a user gave never reaches %s', async (host) => {
    const before = connections;
    const { port } = new URL(url);
    await expect(outbound()(`https://${host}:${port}/`)).rejects.toThrow(OutboundError);
    await expect(outbound()(`http://${host}:${port}/`)).rejects.toThrow(OutboundError);
    expect(connections).toBe(before);
  });

  test('[ID61] a name with one private address among public ones is refused, and is asked for once', async () => {
    let asked = 0;
    const resolve = async () => {
      asked++;
      return [
        { address: '93.184.216.34', family: 4 },
        { address: '127.0.0.1', family: 4 },
      ];
    };
    await expect(outbound({ resolve })('https://rebind.example/')).rejects.toThrow(/public internet/);
    expect(asked).toBe(1);
  });

  test('[ID61] what was checked is what is connected to: a name that changes its mind is not asked again', async () => {
    const answers = ['192.0.2.1', '127.0.0.1'];
    const resolve = async () => [{ address: answers.shift() ?? '', family: 4 }];
    await expect(outbound({ resolve, timeoutMs: 200 })('https://rebind.example/')).rejects.toThrow(OutboundError);
    expect(answers).toEqual(['127.0.0.1']);
  });

  test.each(['93.184.216.34', '8.8.8.8', '2606:2800:220:1::1'])('[ID61] %s is public', (address) => {
    expect(isPublicAddress(address)).toBe(true);
  });
});
