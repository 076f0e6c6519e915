import { audit } from '../admin/audit.ts';
import { inTransaction } from '../unit-of-work.ts';
import type { ScanState } from '#contract/library.ts';
import type { Ctx } from '../context.ts';
import type { Scanner } from './scanner.ts';

/** Starts a scan that somebody asked for, unless one is running, and writes down who; `actor_id` null: the operator. */
export async function startScan(ctx: Ctx, actor_id: string | null, scanner: Scanner): Promise<ScanState> {
  if (scanner.state({ role: 'guest' }).state !== 'running') {
    await inTransaction(ctx, (tx) => audit(tx, { action: 'library.scan_started', actor_id }));
  }
  return scanner.start();
}
