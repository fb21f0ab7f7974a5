import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type TestEngine, startEngine } from '../../../test/doubles/simulated-engine.fixture.js';

let running: TestEngine | null = null;
const folders: string[] = [];
afterEach(async () => {
  vi.useRealTimers();
  await running?.stop();
  running = null;
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

const useFakeIntervals = () => vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'setTimeout', 'clearTimeout', 'Date'] });

describe('engine', () => {
  it('opens the HTTP port before the API port and logs both', async () => {
    running = await startEngine();
    expect(running.lines.map((line) => /\((\w+)\)$/.exec(line)?.[1])).toEqual(['http', 'https', 'p2p', 'api']);
    expect(running.engine.state).toBe('up');
  });

  it('logs every playback', async () => {
    running = await startEngine();
    const { infohash, command_url } = await running.play(`id=${'01'.repeat(20)}&pid=p`);
    await running.json(`${command_url}?method=stop`);
    expect(running.lines.slice(-2)).toEqual([
      `playback ${infohash} of player p: started (ts)`,
      `playback ${infohash} of player p: stopped after 0 bytes`,
    ]);
  });

  it('opens no port if it is never ready', async () => {
    running = await startEngine({ neverReady: true });
    expect([running.lines, running.engine.state]).toEqual([[], 'booting']);
  });

  it('crashes after the configured time with the configured code', async () => {
    useFakeIntervals();
    running = await startEngine({ crashAfterMs: 5000, crashExitCode: 3 });
    vi.advanceTimersByTime(4999);
    expect(running.exits).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(running.exits).toEqual([3]);
  });

  it('ends a session that is not read for its idle time', async () => {
    useFakeIntervals();
    running = await startEngine();
    const { sessions, contents } = running.engine.context;
    const { session } = sessions.open({ content: contents.byId('01'.repeat(20))!, kind: 'ts', pid: 'p' })!;
    vi.advanceTimersByTime(59_000);
    expect(session.state).toBe('active');
    vi.advanceTimersByTime(2000);
    expect(session.state).toBe('expired');
  });

  it('writes its token and a growing cache to its folder', async () => {
    useFakeIntervals();
    const stateDir = mkdtempSync(join(tmpdir(), 'engine-'));
    folders.push(stateDir);
    running = await startEngine({ diskGrowKbPerSec: 50 }, { stateDir });
    expect(JSON.parse(readFileSync(join(stateDir, 'engine_runtime.json'), 'utf8'))).toEqual({
      access_token: running.engine.context.accessToken,
    });
    const cache = () => statSync(join(stateDir, '.acestream_cache', 'pieces.bin')).size;
    const before = cache();
    vi.advanceTimersByTime(3000);
    expect(cache() - before).toBe(150_000);
    rmSync(join(stateDir, '.acestream_cache'), { recursive: true });
    vi.advanceTimersByTime(1000);
    expect(cache()).toBe(50_000);
  });

  it('leaves no timer when it is down', async () => {
    useFakeIntervals();
    running = await startEngine({ crashAfterMs: 60_000 });
    expect(vi.getTimerCount()).toBeGreaterThan(0);
    await running.engine.down();
    expect(vi.getTimerCount()).toBe(0);
  });
});
