import type { EngineState, StreamState } from '@acexy/contracts';
import { randomUUID } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { LeasePreview } from '../leases/lease-preview.js';
import {
  AUTH,
  eventually,
  leaseRequest,
  startOrchestrator,
  type TestOrchestrator,
} from '../../../../test/doubles/orchestrator/test-orchestrator.js';
import { SILENCE_MS } from './proxy-ledger.js';
import { Quarantine } from './quarantine.service.js';

const ENV = { MIN_REPLICAS: '1', MAX_REPLICAS: '1', ENGINE_GRACE_PERIOD_S: '0', AUTOSCALE_INTERVAL_S: '0.1' };
const STILL_THERE = { response: { status: 'dl', peers: 3 }, error: null };
const GONE = { response: null, error: 'unknown playback session id' };

let orchestrator: TestOrchestrator;
afterEach(async () => {
  vi.restoreAllMocks();
  await orchestrator.close();
});

/** Advances the clock of the whole process. */
function jumpAhead(ms: number): void {
  const real = performance.now.bind(performance);
  vi.spyOn(performance, 'now').mockImplementation(() => real() + ms);
}

async function engine(): Promise<EngineState> {
  const list = async (): Promise<EngineState[]> => (await orchestrator.http.get('/engines')).body as EngineState[];
  return (await eventually(list, (engines) => engines.length === 1))[0];
}

/** One session of one proxy, and no further report until it is called again. */
async function reportOnce({ container_id, host, port }: EngineState, statPath = '/ace/stat/1/2'): Promise<() => Promise<void>> {
  const session = {
    stream_id: randomUUID(),
    container_id,
    host,
    port,
    key_type: 'content_id',
    key: 'ab'.repeat(20),
    state: 'playing',
    playback_session_id: 'p1',
    stat_url: `http://x${statPath}`,
    command_url: 'http://x/ace/cmd/1/2',
    is_live: true,
    viewers: 1,
    failovers: 0,
    started_at: new Date().toISOString(),
  };
  const [proxy, boot] = [randomUUID(), randomUUID()];
  let seq = 0;
  const report = async (): Promise<void> => {
    const { status } = await orchestrator.http
      .put(`/proxies/${proxy}/report`)
      .set(AUTH)
      .send({ boot_id: boot, seq: ++seq, sessions: [session], ended: [] });
    expect(status).toBe(200);
  };
  await report();
  return report;
}

async function verdict(): Promise<string> {
  const { body } = await orchestrator.http.get('/engines/lease/preview').query({ key_type: 'content_id', key: 'x' }).set(AUTH);
  return (body as LeasePreview).considered[0]?.verdict ?? 'no engine';
}

/** Runs a check now instead of at the next interval. */
function askNow(): void {
  orchestrator.app.get(Quarantine)['loop'].wake();
}

const ended = async (): Promise<StreamState[]> => (await orchestrator.http.get('/streams?status=ended')).body as StreamState[];
const QUARANTINE = 'cordoned: in quarantine, its proxy stopped reporting';

describe('the engine of a proxy that stopped reporting', () => {
  it('is neither leased nor removed until it no longer knows the session', async () => {
    orchestrator = await startOrchestrator({ env: ENV });
    orchestrator.runtime.statReply = STILL_THERE;
    const { container_id: id } = await reported();
    jumpAhead(SILENCE_MS + 1000);
    await eventually(ended, (list) => list.length === 1);
    await eventually(verdict, (text) => text === QUARANTINE);
    await orchestrator.http.post('/gc').set(AUTH);
    expect(orchestrator.runtime.removeCalls).toEqual([]);
    orchestrator.runtime.statReply = GONE;
    askNow();
    await eventually(verdict, (text) => text === 'chosen');
    expect((await engine()).container_id).toBe(id);
  });

  it('stays in quarantine after a restart of the orchestrator', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'orchestrator-quarantine-'));
    orchestrator = await startOrchestrator({ env: ENV, folder });
    orchestrator.runtime.statReply = STILL_THERE;
    await reported();
    jumpAhead(SILENCE_MS + 1000);
    await eventually(verdict, (text) => text === QUARANTINE);
    const { runtime } = orchestrator;
    await orchestrator.stop();
    const again = runtime.restarted();
    again.statReply = runtime.statReply;
    orchestrator = await startOrchestrator({ env: ENV, folder, runtime: again });
    await eventually(verdict, (text) => text === QUARANTINE);
    // The engines' HTTP servers belong to the run that started them.
    runtime.statReply = GONE;
    askNow();
    await eventually(verdict, (text) => text === 'chosen');
  });

  it('stays with its viewers when the proxy reports again, even if a request waits for an engine', async () => {
    orchestrator = await startOrchestrator({ env: ENV });
    orchestrator.runtime.statReply = STILL_THERE;
    const one = await engine();
    const reportAgain = await reportOnce(one);
    jumpAhead(SILENCE_MS + 1000);
    await eventually(verdict, (text) => text === QUARANTINE);
    // The first call takes a place in the queue; the next call keeps it.
    const ask = leaseRequest({ wait_ms: 0 });
    const askForEngine = () => orchestrator.http.post('/engines/lease').set(AUTH).send(ask);
    const place = await askForEngine();
    expect([place.status, (place.body as { state?: string }).state]).toEqual([202, 'waiting']);
    await reportAgain();
    expect((await askForEngine()).status).not.toBe(200);
    expect((await engine()).streams).toHaveLength(1);
  });

  it('is free at once when its session has no stat URL that could be checked', async () => {
    orchestrator = await startOrchestrator({ env: ENV });
    orchestrator.runtime.statReply = STILL_THERE;
    await reportOnce(await engine(), '/webui/api/service?method=get_version');
    jumpAhead(SILENCE_MS + 1000);
    await eventually(ended, (list) => list.length === 1);
    await eventually(verdict, (text) => text === 'chosen');
    expect(orchestrator.runtime.requests.filter((url) => url.includes('get_version'))).toEqual([]);
  });

  async function reported(): Promise<EngineState> {
    const one = await engine();
    await reportOnce(one);
    return one;
  }
});
