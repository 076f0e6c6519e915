import { describe, expect, it } from 'vitest';
import { StartListen, ReportProgress, CompleteListen } from '#contract/listens.ts';
import { Playback } from '../../../client/src/features/listens/playback.ts';
import type { Report } from '../../../client/src/features/listens/report-queue.ts';

const track_id = 't'.repeat(22);

function play() {
  const reports: Report[] = [];
  let now = 1_000;
  const playback = new Playback(
    track_id,
    0,
    (report) => reports.push(report),
    () => (now += 10),
  );
  return { playback, reports };
}

describe('playback reports', () => {
  it('are all named by the client session id of the start, with seq rising from 0', () => {
    const { playback, reports } = play();
    playback.progress(5000);
    playback.progress(6000, 'paused');
    playback.complete(6000);
    const start = reports[0];
    const session = start?.name === 'listen:start' ? start.payload.client_session_id : undefined;
    expect(reports.map((report) => report.name)).toEqual([
      'listen:start',
      'listen:progress',
      'listen:progress',
      'listen:complete',
    ]);
    expect(reports.slice(1).map((report) => 'session_id' in report.payload && report.payload.session_id)).toEqual([
      session,
      session,
      session,
    ]);
    expect(reports.slice(1).map((report) => 'seq' in report.payload && report.payload.seq)).toEqual([0, 1, 2]);
  });

  it('fit the contract', () => {
    const { playback, reports } = play();
    playback.progress(1234.567);
    playback.complete(-3);
    const schemas = {
      'listen:start': StartListen,
      'listen:progress': ReportProgress,
      'listen:complete': CompleteListen,
    };
    for (const report of reports) {
      const result = schemas[report.name].safeParse({ ...report.payload, sent_at_ms: 2_000 });
      expect(result.success, JSON.stringify(result.error?.issues)).toBe(true);
    }
  });

  it('stop at the end: nothing follows a complete', () => {
    const { playback, reports } = play();
    playback.complete(1000);
    playback.progress(2000);
    playback.complete(2000);
    expect(reports.length).toBe(2);
  });

  it('keep the state they had when a seek only tells a position', () => {
    const { playback, reports } = play();
    playback.progress(1000, 'paused');
    playback.progress(9000);
    const last = reports.at(-1);
    expect(last?.name === 'listen:progress' && last.payload.state).toBe('paused');
  });

  it('each play is a session of its own', () => {
    const ids = [play(), play()].map(({ reports }) => {
      const start = reports[0];
      return start?.name === 'listen:start' ? start.payload.client_session_id : '';
    });
    expect(new Set(ids).size).toBe(2);
  });
});
