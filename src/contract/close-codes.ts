/**
 * WebSocket close codes of playlist sync. The stock y-websocket client takes 4400 to 4499 as final and
 * retries everything else (facts of y-websocket 3.1.0), so "not now" must lie outside that range.
 */
export const CLOSE = {
  malformed: 4400,
  signed_out: 4401,
  access_withdrawn: 4403,
  not_found: 4404,
  superseded: 4409,
  too_large: 4413,
  schema: 4422,
  too_fast: 4529,
  slow_reader: 1013,
  restart: 1012,
} as const;

export type CloseReason = keyof typeof CLOSE;
