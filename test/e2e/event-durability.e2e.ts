import type { EngineState, StreamState } from '@acexy/contracts';
import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OrchestratorProcess } from '../support/orchestrator-process.js';
import { until } from '../support/until.js';

const HAS_SQLITE = spawnSync('sqlite3', ['--version']).status === 0;
const run = promisify(execFile);

let orchestrator: OrchestratorProcess;
let engine: EngineState;
let sent = 0;

beforeAll(async () => {
  // The streams are not real, so the orchestrator must not request their statistics.
  orchestrator = await OrchestratorProcess.start({ MIN_REPLICAS: '1', MAX_REPLICAS: '1', COLLECT_INTERVAL_S: '3600' });
  engine = await until('an engine', async () => (await orchestrator.get<EngineState[]>('/engines'))[0]);
});
afterAll(() => orchestrator.stop());

/** Acknowledged events: the status that each stream must have. */
type Acknowledged = Map<string, 'started' | 'ended'>;

/** Sends the start of a stream, and for every second one its end. @returns false if there was no answer */
async function sendEvents(acknowledged: Acknowledged): Promise<boolean> {
  const number = sent++;
  const id = `stream-${number}`;
  const event = {
    engine: { host: engine.host, port: engine.port },
    stream: { key_type: 'infohash', key: 'cd'.repeat(20) },
    session: { playback_session_id: id, stat_url: 'http://x:1/ace/stat/1/2', command_url: 'http://x:1/ace/cmd/1/2', is_live: 1 },
    labels: { stream_id: id },
  };
  try {
    if ((await orchestrator.call('POST', '/events/stream_started', event)).status !== 202) return false;
    acknowledged.set(id, 'started');
    if (number % 2 === 0) return true;
    // Until the end is acknowledged, both states are allowed.
    acknowledged.delete(id);
    if ((await orchestrator.call('POST', '/events/stream_ended', { stream_id: id })).status !== 202) return false;
    acknowledged.set(id, 'ended');
    return true;
  } catch {
    return false;
  }
}

/** Several senders send at the same time until `isOver`. */
async function sendUntil(isOver: () => boolean, acknowledged: Acknowledged): Promise<void> {
  const sender = async (): Promise<void> => {
    while (!isOver()) {
      if (!(await sendEvents(acknowledged))) return;
      // At most as many as the service keeps in memory.
      await sleep(25);
    }
  };
  await Promise.all(Array.from({ length: 8 }, sender));
}

async function expectAllKnown(acknowledged: Acknowledged): Promise<void> {
  const known = new Map((await orchestrator.get<StreamState[]>('/streams')).map(({ id, status }) => [id, status]));
  const wrong = [...acknowledged].filter(([id, status]) => known.get(id) !== status);
  expect(wrong).toEqual([]);
}

describe('an acknowledged event', () => {
  it('always survives a kill -9 during many events', async () => {
    const acknowledged: Acknowledged = new Map();
    for (const killAt of [40, 100, 160]) {
      const telling = sendUntil(() => false, acknowledged);
      await until('some events are acknowledged', () => Promise.resolve(acknowledged.size >= killAt));
      await orchestrator.kill();
      await telling;
      await orchestrator.launch();
      await expectAllKnown(acknowledged);
    }
    expect(acknowledged.size).toBeGreaterThanOrEqual(160);
  });

  it.skipIf(!HAS_SQLITE)(
    'survives repeated manual VACUUM, ANALYZE and integrity checks, and the API keeps answering (needs sqlite3)',
    async () => {
      // Some megabytes, so that a VACUUM takes some time.
      await run('sqlite3', [
        orchestrator.database,
        `PRAGMA busy_timeout=10000; WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)
       INSERT INTO stream_stats SELECT 'stream-0', i, 1, 2, 3, 4, 5, hex(randomblob(60)) FROM n`,
      ]);
      const acknowledged: Acknowledged = new Map();
      let vacuums = 0;
      let isOver = false;
      const byHand = (async () => {
        while (!isOver) {
          const shell = spawn('sqlite3', ['-cmd', '.timeout 20000', orchestrator.database, 'VACUUM; ANALYZE; PRAGMA integrity_check;']);
          let output = '';
          shell.stdout.on('data', (text) => (output += String(text)));
          shell.stderr.on('data', (text) => (output += String(text)));
          const [code] = (await once(shell, 'close')) as [number];
          expect([code, output.trim()]).toEqual([0, 'ok']);
          vacuums++;
        }
      })();
      const waits: number[] = [];
      const reading = (async () => {
        while (!isOver) {
          const startedAt = performance.now();
          await Promise.all(['/engines', '/streams?status=started', '/health', '/health/ready'].map((path) => orchestrator.get(path)));
          waits.push(performance.now() - startedAt);
          await sleep(20);
        }
      })();
      const started = performance.now();
      await sendUntil(() => performance.now() - started > 4000 && vacuums >= 5 && acknowledged.size >= 40, acknowledged);
      isOver = true;
      await Promise.all([byHand, reading]);
      // On a busy machine the slowest answers depend on the machine. The median shows that reads do not wait for a VACUUM.
      expect(waits.sort((a, b) => a - b)[Math.floor(waits.length / 2)]).toBeLessThan(500);
      await orchestrator.kill();
      await orchestrator.launch();
      await expectAllKnown(acknowledged);
      expect(orchestrator.process.log).not.toContain('could not be saved');
    },
  );
});
