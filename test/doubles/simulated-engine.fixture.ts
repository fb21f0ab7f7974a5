/** A simulated engine in the test's process, on free ports and without delays. */
import { Engine } from '../../apps/engine-simulator/src/engine.js';
import { type SimulatorSettings, settingsFromEnvironment } from '../../apps/engine-simulator/src/faults/simulator-settings.js';
import type { EngineOptions } from '../../apps/engine-simulator/src/options/engine-options.js';

export interface TestEngine {
  engine: Engine;
  url: string;
  /** Lines of its log. */
  lines: string[];
  exits: number[];
  json(path: string, headers?: Record<string, string>): Promise<any>; // eslint-disable-line @typescript-eslint/no-explicit-any -- replies are asserted field by field
  /** Starts a playback and returns its URLs. */
  play(query: string): Promise<Record<string, string>>;
  stop(): Promise<void>;
}

export const QUICK: Partial<SimulatorSettings> = {
  bootMs: 0,
  apiDelayMs: 0,
  jsonDelayMs: 0,
  idLookupMs: 0,
  prebufMs: 0,
  hlsPrebufMs: 0,
  bitrate: 500_000,
};

export const NO_PORTS: EngineOptions = {
  httpPort: 0,
  httpsPort: 0,
  apiPort: 0,
  p2pPort: 0,
  host: '127.0.0.1',
  accessToken: 'a1'.repeat(32),
  stateDir: null,
  cacheDir: null,
  controlPort: 0,
  catalogFile: null,
  engineId: 'engine-under-test',
  given: new Map(),
};

export async function startEngine(settings: Partial<SimulatorSettings> = {}, options: Partial<EngineOptions> = {}): Promise<TestEngine> {
  const lines: string[] = [];
  const exits: number[] = [];
  const hooks = { log: (line: string) => void lines.push(line), exit: (code: number) => void exits.push(code) };
  const engine = new Engine({ ...NO_PORTS, ...options }, { ...settingsFromEnvironment({}), ...QUICK, ...settings }, hooks);
  await engine.boot();
  const url = `http://127.0.0.1:${engine.http.port}`;
  const json = async (path: string, headers: Record<string, string> = {}) =>
    (await fetch(path.startsWith('http') ? path : url + path, { headers })).json();
  return {
    engine,
    url,
    lines,
    exits,
    json,
    play: async (query) => ((await json(`/ace/getstream?${query}&format=json`)) as { response: Record<string, string> }).response,
    stop: () => engine.down(),
  };
}

/** Reads a body until it has `wanted` bytes or ends. */
export async function readBytes(body: ReadableStream<Uint8Array>, wanted: number): Promise<Buffer> {
  const reader = body.getReader();
  const parts: Uint8Array[] = [];
  let size = 0;
  while (size < wanted) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    size += value.length;
  }
  reader.releaseLock();
  return Buffer.concat(parts);
}
