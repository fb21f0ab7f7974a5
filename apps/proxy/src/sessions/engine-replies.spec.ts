/** Sessions on simulated engines that answer in other forms than usual, over real connections. */
import { Writable } from 'node:stream';
import { EngineClient } from '@acexy/engine-client';
import { createLog } from '@acexy/service-kit';
import { SystemClock } from '@acexy/service-kit/primitives';
import { afterEach, describe, expect, it } from 'vitest';
import type { SimulatorSettings } from '../../../engine-simulator/src/faults/simulator-settings.js';
import { byId, makeSessions, watch } from '../../../../test/doubles/proxy/sessions.fixture.js';
import { type TestEngine, startEngine } from '../../../../test/doubles/simulated-engine.fixture.js';
import { until } from '../../../../test/support/until.js';

const LIMIT_MS = 30_000;
const id = (number: number): string => number.toString(16).padStart(40, '0');

let engine: TestEngine;
afterEach(() => engine.stop());

async function sessionsOn(settings: Partial<SimulatorSettings>) {
  engine = await startEngine(settings);
  let log = '';
  const destination = new Writable({ write: (line, _encoding, done) => ((log += String(line)), done()) });
  const sessions = makeSessions(1, new SystemClock(), { lingerMs: 0 }, createLog({ service: 'test', level: 'DEBUG', destination }));
  // The client of a real connection instead of the fake engine.
  const client = new EngineClient({ host: '127.0.0.1', port: engine.engine.http.port });
  sessions.engines[0] = sessions.selector.engines[0] = client as never;
  return { ...sessions, logged: () => log };
}

describe('an engine', () => {
  it.each<[string, Partial<SimulatorSettings>]>([
    ['sends no session id', { missingField: 'playback_session_id' }],
    ['sends a number as session id', { sessionId: 'number' }],
    ['redirects the start to another path', { startRedirect: true }],
    ['compresses its replies', { compressed: true }],
    ['answers the media with 206', { mediaReply: '206' }],
    ['names a length of the media that no stream has', { mediaReply: 'huge-length' }],
    ["sends Shoutcast's status line", { mediaReply: 'icy' }],
    ['knows contents only by the bare id', { analyzeForms: 'bare' }],
  ])(
    'that %s plays, tells title and infohash, and is stopped',
    async (_what, settings) => {
      const { registry, logged } = await sessionsOn(settings);
      const viewer = watch(registry.subscribe(byId(id(1))));
      await until('bytes', async () => viewer.sink.bytes > 50_000);
      const { infohash } = engine.engine.context.contents.byId(id(1))!;
      await until('the title', async () => registry.snapshots()[0].title === `Channel ${id(1).slice(0, 8)}`);
      expect(registry.snapshots()[0].infohash).toBe(infohash);
      viewer.leave();
      await until('the end', async () => registry.sessions().length === 0);
      expect(engine.engine.context.metrics.snapshot().sessions).toMatchObject({ opened: 1, active: 0 });
      expect(logged()).not.toContain('"WARN"');
    },
    LIMIT_MS,
  );

  it(
    'that sends endless bytes that are no MPEG-TS ends the start with this reason, and its bytes are in no message',
    async () => {
      const { registry, logged } = await sessionsOn({ mediaReply: 'no-stream', bitrate: 8_000_000 });
      const viewer = watch(registry.subscribe(byId(id(1))));
      await until('the error', async () => viewer.error);
      expect(viewer.error).toMatchObject({
        code: 'engines_refused',
        message: expect.stringMatching(/no MPEG transport stream: no packets in \d+ bytes$/),
      });
      await until('the stop', async () => registry.sessions().length === 0);
      expect(logged()).not.toContain('not a stream');
    },
    LIMIT_MS,
  );

  it(
    'that answers a second stop in other words counts as stopped, without a second attempt',
    async () => {
      const { registry, logged } = await sessionsOn({ unknownSessionError: 'invalid or expired playback session' });
      const viewer = watch(registry.subscribe(byId(id(1))));
      await until('bytes', async () => viewer.sink.bytes > 0);
      const { playback } = registry.snapshots()[0];
      await new EngineClient({ host: '127.0.0.1', port: engine.engine.http.port }).stop(playback!);
      viewer.leave();
      await until('the end', async () => registry.sessions().length === 0);
      expect(logged()).toContain('"outcome":"already_gone","msg":"engine session stopped"');
      expect(logged()).not.toContain('engine stop failed');
    },
    LIMIT_MS,
  );

  it(
    'that needs 2 s for each reply starts twelve contents at once',
    async () => {
      const { registry } = await sessionsOn({ jsonDelayMs: 2000 });
      const viewers = Array.from({ length: 12 }, (_, index) => watch(registry.subscribe(byId(id(index + 1)))));
      // One after the other takes 24 s.
      await until('all play', async () => viewers.every(({ outcome }) => outcome === 'playing'));
      await registry.shutdown(5000);
    },
    LIMIT_MS,
  );
});
