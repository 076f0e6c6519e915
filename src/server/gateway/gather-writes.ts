import type { Socket as Line } from 'engine.io';

/**
 * Has what is sent to one client within a turn of the loop go out in one write: what a group commit acknowledges at once costs
 * one call of the kernel instead of one each. A transport that is busy sending gathers by itself.
 */
export function gatherWrites(line: Line): void {
  const wire = line.request.socket;
  line.on('packetCreate', () => {
    const { transport } = line;
    if (!transport.writable) return;
    transport.writable = false;
    process.nextTick(() => {
      wire.cork();
      transport.writable = true;
      // What engine.io sends when a transport can take more.
      transport.emit('ready');
      wire.uncork();
    });
  });
}
