import { STATUS_CODES } from 'node:http';
import { problemOf } from './http/problem.ts';
import { newIds } from './ids.ts';
import { readLastWord } from './limits/last-word.ts';
import type { Ctx } from '#domain/context.ts';
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';

type UpgradeDoor = (req: IncomingMessage, socket: Duplex, head: Buffer) => Promise<void>;

/**
 * The only `upgrade` listener. engine.io would end foreign upgrades after a second, so it is given its own and sees no others.
 * A caller who is refused gets a plain HTTP answer before any WebSocket exists; `admit` throws for one who comes too often.
 * @returns what cuts every line that is still open: the HTTP server does not know them any more, and would wait for each
 */
export function listenForUpgrades(
  server: Server,
  ctx: Ctx,
  doors: { gateway: UpgradeDoor; playlistSync: UpgradeDoor },
  admit: (req: IncomingMessage) => Promise<void>,
): () => void {
  const lines = new Set<Duplex>();
  server.on('upgrade', (req: IncomingMessage, socket: Duplex, head: Buffer) => {
    keep(lines, socket);
    const pathname = (req.url ?? '').split('?')[0] ?? '';
    const door =
      pathname === '/socket.io/' || pathname === '/socket.io'
        ? doors.gateway
        : pathname.startsWith('/yjs/')
          ? doors.playlistSync
          : null;
    if (door === null) {
      refuse(socket, 404, 'Not Found');
      return;
    }
    admit(req)
      .then(() => door(req, socket, head))
      .catch((error: unknown) => {
        const { problem, retryAfter } = problemOf(ctx, error, newIds.id());
        refuse(socket, problem.status, JSON.stringify(problem), retryAfter);
      });
  });
  return () => {
    for (const line of lines) line.destroy();
  };
}

/** Until a WebSocket takes over, a reset must not end the process. Apart, so that a line that lives on does not hold its request. */
function keep(lines: Set<Duplex>, socket: Duplex): void {
  socket.on('error', () => socket.destroy());
  lines.add(socket);
  socket.once('close', () => lines.delete(socket));
}

/** Answers and lets go: an upgraded connection has no timeout of its own, so one that is only half closed would stay for ever. */
function refuse(socket: Duplex, status: number, body: string, retryAfter?: number): void {
  if (socket.destroyed || !socket.writable) return;
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\nConnection: close\r\nContent-Type: application/problem+json\r\n` +
      `Cache-Control: private, no-store\r\n${retryAfter === undefined ? '' : `Retry-After: ${retryAfter}\r\n`}` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
  readLastWord(socket);
}
