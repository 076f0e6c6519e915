import { z } from 'zod';
import { Id } from '#contract/primitives.ts';
import { ExportFormat } from '#contract/playlists.ts';
import { DomainError } from '#domain/errors.ts';
import { exportPlaylist } from '#domain/playlists/export-playlist.ts';
import { importPlaylists } from '#domain/playlists/import-playlists.ts';
import { parseInput } from '../parse.ts';
import { readUpload } from './upload.ts';
import type { Actor, Ctx } from '#domain/context.ts';
import type { Request, Response } from 'express';

const LIMIT_BYTES = 64 * 1024 * 1024;
/** Programs send more than the file; none of it is of use to us. */
const FIELDS = 5;
/** Files read at once: each may take some hundred megabytes for a moment. */
const AT_ONCE = 2;

type DoorHandler = (req: Request, res: Response, actor: Actor) => Promise<void>;

/** Makes playlists of an uploaded file. */
export function takePlaylistFile(ctx: Ctx): DoorHandler {
  let underWay = 0;
  return async (req, res, actor) => {
    parseInput(z.strictObject({ name: z.string().max(500).optional() }), { ...req.query }, 'query');
    if (underWay >= AT_ONCE) {
      throw new DomainError('unavailable', 'Other files are being read. Try again in a moment.', { retryAfter: 5 });
    }
    underWay++;
    try {
      res
        .status(201)
        .json(await importPlaylists(ctx, actor, await readUpload(req, { limitBytes: LIMIT_BYTES, fields: FIELDS })));
    } finally {
      underWay--;
    }
  };
}

const Query = z.strictObject({ format: ExportFormat.default('m3u8') });

/** Serves a playlist as a file to be saved. */
export function servePlaylistFile(ctx: Ctx): DoorHandler {
  return async (req, res, actor) => {
    const { format } = parseInput(Query, { ...req.query }, 'query');
    const { id } = parseInput(z.strictObject({ id: Id }), req.params, 'params');
    const { name, mime, text } = await exportPlaylist(ctx, actor, { id, format });
    // The plain name for programs that know no other, the whole one for all others (RFC 6266).
    const ascii = name.replace(/[^\x20-\x7e]|["%\\]/g, '_');
    res.set({
      'content-type': mime,
      'content-disposition': `attachment; filename="${ascii}"; filename*=UTF-8''${encodeURIComponent(name).replace(/['()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)}`,
    });
    res.end(req.method === 'HEAD' ? undefined : text);
  };
}
