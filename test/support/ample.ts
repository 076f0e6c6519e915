/** Limits no test or measure comes near by chance: most ask more of a server in a second than a household does in a day. */
import { LIMITS } from '#server/limits/limits.ts';
import type { ServerOptions } from '#server/create-server.ts';
import type { LimitName, Limits } from '#server/limits/limits.ts';

export const AMPLE = {
  limits: Object.fromEntries(
    Object.entries(LIMITS).map(([name, limit]) => [name, { ...limit, points: 1_000_000 }]),
  ) as Record<LimitName, Limits[LimitName]>,
  packets: { per_second: 1_000_000, burst: 1_000_000 },
} satisfies Pick<ServerOptions, 'limits' | 'packets'>;
