import { mkdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startIssuer } from '../support/issuer.ts';
import { startMeasuredServer } from '../support/measured-server.ts';
import { makeLibrary } from '../support/music/make-track.ts';
import { runStorm } from '../support/reconnect-storm.ts';
import { makeFolders } from '../support/server.ts';
import type { MeasuredServer } from '../support/measured-server.ts';
import type { TestIssuer } from '../support/issuer.ts';
import type { Folders } from '../support/server.ts';

/** `npm run bench reconnect` has 2,000, and 5,000 at rest. */
const CLIENTS = 300;

describe(`${CLIENTS} clients cut off at once`, () => {
  let folders: Folders;
  let issuer: TestIssuer;
  let server: MeasuredServer;
  beforeAll(async () => {
    folders = makeFolders();
    mkdirSync(folders.musicDir, { recursive: true });
    makeLibrary(folders.musicDir, { 'one.wav': { title: 'One', artist: 'A', album: 'B', seconds: 1 } });
    issuer = await startIssuer();
    server = await startMeasuredServer(folders, issuer);
  });
  afterAll(async () => {
    await server.stop();
    await issuer.close();
    folders.remove();
  });

  test(
    '[OP26] are all back, in their own rooms and no others, without a stall or a rush on the provider',
    { timeout: 120_000 },
    async () => {
      const storm = await runStorm(server, issuer, CLIENTS);
      process.stdout.write(
        `${storm.clients} cut at once: back after ${(storm.backMs / 1000).toFixed(1)} s, ${storm.wrong} in wrong rooms, loop delay ` +
          `${storm.loopMaxMs.toFixed(0)} ms, RSS ${storm.rssBeforeMb.toFixed(0)} → ${storm.rssMostMb.toFixed(0)} MB, ${storm.jwksFetches} JWKS fetches\n`,
      );
      expect(storm.wrong).toBe(0);
      expect(storm.backMs).toBeLessThan(30_000);
      expect(storm.loopMaxMs).toBeLessThan(500);
      expect(storm.jwksFetches).toBeLessThanOrEqual(2);
      expect(storm.rssMostMb).toBeLessThan(storm.rssBeforeMb * 1.5);
    },
  );
});
