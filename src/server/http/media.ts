import { constants, open, realpath } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { COVER_SIZES } from '#contract/library.ts';
import { DomainError, notFound } from '#domain/errors.ts';
import { trackCover, trackFile } from '#domain/library/library.queries.ts';
import { isWithin } from '#domain/library/walk-library.ts';
import { matchesEtag, parseRange } from '../media/byte-range.ts';
import { createCoverResizer } from '../media/cover-resizer.ts';
import { parseInput } from '../parse.ts';
import type { Actor, Ctx } from '#domain/context.ts';
import type { Request, Response } from 'express';
import type { FileHandle } from 'node:fs/promises';
import type { ImageProcess } from '../media/image-process.ts';

/** Streams of one person at once: a player opens two when it seeks, a person may have a few devices. */
const STREAMS_PER_USER = 8;
/** A reader that takes nothing for so long is gone, whatever TCP says. */
const STALL_MS = 30_000;
const CHUNK_BYTES = 64 * 1024;

/** A door that answers with bytes: the caller is known, the id is a well-formed one. Refusals are thrown before any byte. */
export type MediaHandler = (req: Request, res: Response, actor: Actor, track_id: string) => Promise<void>;

const BY_CONTAINER: Record<string, string> = {
  mpeg: 'audio/mpeg',
  adts: 'audio/aac',
  flac: 'audio/flac',
  ogg: 'audio/ogg',
  mp4: 'audio/mp4',
  wave: 'audio/wav',
};

/** What holds for every byte of media: nobody else's cache, nobody else's page, no guessing of types. */
export function setCommonHeaders(res: Response): void {
  res.set({
    'x-content-type-options': 'nosniff',
    'cross-origin-resource-policy': 'same-origin',
    'content-security-policy': "default-src 'none'; sandbox",
  });
}

/** Answers 304 when the caller has this very version. Dates count only where no tag is given (RFC 9110 §13.2.2). */
function isNotModified(req: Request, etag: string, modifiedMs: number): boolean {
  const noneMatch = req.get('if-none-match');
  if (noneMatch !== undefined) return matchesEtag(noneMatch, etag);
  const since = Date.parse(req.get('if-modified-since') ?? '');
  return !Number.isNaN(since) && Math.floor(modifiedMs / 1000) * 1000 <= since;
}

/**
 * Opens a track's file, which must lie below a root of MUSIC_DIR now, not only when it was scanned: links are resolved first, and the
 * last part may not be one by then.
 * @throws DomainError `not_found` when it is not there any more.
 */
async function openTrack(ctx: Ctx, library_root: string, track_path: string): Promise<FileHandle> {
  if (!ctx.files.musicDirs.includes(library_root)) throw notFound('track');
  try {
    const file = await realpath(path.join(library_root, track_path));
    const roots = await Promise.all(ctx.files.musicDirs.map((root) => realpath(root).catch(() => null)));
    if (!roots.some((root) => root !== null && isWithin(root, file))) throw notFound('track');
    return await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (error instanceof DomainError) throw error;
    ctx.log.info('a file could not be opened', { code: (error as NodeJS.ErrnoException).code ?? 'unknown' });
    throw new DomainError(
      'not_found',
      'The file of this track is not there any more. It shows again after a scan finds it.',
    );
  }
}

/** Sends a part of a file at the reader's pace; ends with the reader, or after `stallMs` without progress. */
async function sendPart(handle: FileHandle, res: Response, start: number, end: number, stallMs: number): Promise<void> {
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  for (let position = start; position <= end && !res.destroyed;) {
    const { bytesRead } = await handle.read(buffer, 0, Math.min(CHUNK_BYTES, end - position + 1), position);
    // The file became shorter while it was sent: the promised length cannot be kept, so the connection ends.
    if (bytesRead === 0) return void res.destroy();
    position += bytesRead;
    const isLast = position > end;
    // The bytes are copied, since the buffer is used again before the socket has taken them.
    const chunk = Buffer.from(buffer.subarray(0, bytesRead));
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => res.destroy(), stallMs);
      const settle = () => {
        clearTimeout(timer);
        res.off('close', settle);
        resolve();
      };
      res.once('close', settle);
      if (isLast) res.end(chunk, settle);
      else res.write(chunk, settle);
    });
  }
}

/** Streams a track's file: whole, or one range of it. GET and HEAD answer with the same headers. */
export function streamTrack(ctx: Ctx, { stallMs = STALL_MS } = {}): MediaHandler {
  const streams = new Map<string, number>();

  return async (req, res, actor, track_id) => {
    const track = await trackFile(ctx.db, track_id);
    if (track === null || track.missing_since !== null) throw notFound('track');
    const handle = await openTrack(ctx, track.library_root, track.track_path);
    try {
      const stat = await handle.stat();
      if (!stat.isFile()) throw notFound('track');
      // Strong: any other bytes have another size, time or audio.
      const etag = `"${track.audio_hash.slice(0, 22)}-${stat.size.toString(36)}-${Math.floor(stat.mtimeMs).toString(36)}"`;
      const modified = stat.mtime.toUTCString();
      const headers = {
        etag,
        'last-modified': modified,
        'accept-ranges': 'bytes',
        'cache-control': 'private, no-cache',
      };
      setCommonHeaders(res);
      if (isNotModified(req, etag, stat.mtimeMs)) {
        res.status(304).set(headers).end();
        return;
      }
      // A range is for GET alone, and for the version the caller began with (RFC 9110 §13.1.5, §14.2).
      const ifRange = req.get('if-range');
      const isRangeMeant = req.method === 'GET' && (ifRange === undefined || ifRange === etag || ifRange === modified);
      const range = parseRange(isRangeMeant ? req.get('range') : undefined, stat.size);
      if (range.kind === 'unsatisfiable') {
        res.set('content-range', `bytes */${stat.size}`);
        throw new DomainError('range_not_satisfiable', `The file has ${stat.size} bytes.`);
      }
      const { start, end } = range.kind === 'part' ? range : { start: 0, end: stat.size - 1 };
      const open = streams.get(actor.user_id) ?? 0;
      if (req.method === 'GET' && open >= STREAMS_PER_USER) {
        throw new DomainError(
          'too_many',
          `At most ${STREAMS_PER_USER} tracks can be streamed at once. Stop one and try again.`,
          { retryAfter: 5 },
        );
      }
      res.status(range.kind === 'part' ? 206 : 200).set(headers);
      if (range.kind === 'part') res.set('content-range', `bytes ${start}-${end}/${stat.size}`);
      res.set('content-length', String(end - start + 1));
      // Set past Express, which would add a charset.
      res.setHeader('content-type', BY_CONTAINER[track.container ?? ''] ?? 'application/octet-stream');
      if (req.method === 'HEAD' || end < start) {
        res.end();
        return;
      }
      streams.set(actor.user_id, open + 1);
      try {
        await sendPart(handle, res, start, end, stallMs);
      } finally {
        const left = (streams.get(actor.user_id) ?? 1) - 1;
        if (left > 0) streams.set(actor.user_id, left);
        else streams.delete(actor.user_id);
      }
    } finally {
      await handle.close();
    }
  };
}

const CoverQuery = z.strictObject({
  /** Pixels of the longer side; one of COVER_SIZES. */
  size: z
    .enum(COVER_SIZES.map(String) as [string, ...string[]], `must be one of ${COVER_SIZES.join(', ')}`)
    .default('320')
    .transform(Number),
});

/** Serves the picture that stands for a track, as webp in `?size=` pixels (default 320). */
export function serveCover(ctx: Ctx, images: ImageProcess): MediaHandler {
  const resizer = createCoverResizer(ctx.files.dataDir, images, ctx.log);
  return async (req, res, _actor, track_id) => {
    const { size } = parseInput(CoverQuery, { ...req.query }, 'query');
    const hash = await trackCover(ctx.db, track_id);
    if (hash === null) throw notFound('cover');
    const etag = `"${hash}-${size}"`;
    // A track's cover can change, so it is asked for again, and answered by 304 nearly always.
    const headers = { etag, 'cache-control': 'private, max-age=300, must-revalidate' };
    setCommonHeaders(res);
    if (isNotModified(req, etag, Infinity)) {
      res.status(304).set(headers).end();
      return;
    }
    const file = await resizer.resized(hash, size);
    if (file === null) throw notFound('cover');
    const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW);
    const webp = await handle.readFile().finally(() => handle.close());
    res.status(200).set(headers).type('image/webp').set('content-length', String(webp.length));
    res.end(req.method === 'HEAD' ? undefined : webp);
  };
}
