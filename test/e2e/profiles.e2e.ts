import { parse as parseDotenv } from 'dotenv';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { loadAllSettings, parseSize, readEnvironment } from '@acexy/service-kit';
import { loadOrchestratorSettings } from '../../apps/orchestrator/src/settings.js';
import { PROXY_SETTINGS } from '../../apps/proxy/src/app/settings.js';
import { type StreamFacts, NEW_STREAM, demandsOf, floorOf } from '../../apps/proxy/src/sessions/budget/buffer-budget.policy.js';
import { memoryPlan } from '../../apps/proxy/src/sessions/budget/memory-plan.js';
import { BufferSettings, broadcastSettings } from '../../apps/proxy/src/sessions/buffer-settings.js';
import { ViewerSettings } from '../../apps/proxy/src/sessions/viewer-settings.js';
import { Pair } from '../support/pair.js';
import { ROOT } from '../support/service-process.js';
import { markersOf } from '../support/stream-body.js';
import { until } from '../support/until.js';
import { Viewer } from '../support/viewer.js';

const FOLDER = join(ROOT, 'deploy/profiles');

/** The rows of the tuning matrix and the three templates of the troubleshooting guide, with the number of streams for each. */
const PROFILES: Record<string, { streams: number; values: Record<string, string> }> = {
  light: { streams: 10, values: matrix('2', '3', '1.0', '30') },
  medium: { streams: 50, values: matrix('5', '5', '0.5', '45') },
  high: { streams: 100, values: matrix('10', '8', '0.3', '60') },
  'very-high': { streams: 200, values: matrix('20', '10', '0.2', '90') },
  'high-availability': { streams: 100, values: template('10', '10', '0.2', '15', '5', '20', '20', '60', '180', '10', '300') },
  constrained: { streams: 6, values: template('3', '3', '1.5', '60', '15', '60', '60', '120', '300', '3', '600') },
  balanced: { streams: 50, values: template('5', '5', '0.5', '30', '10', '30', '30', '45', '150', '5', '300') },
};

function matrix(min: string, concurrent: string, interval: string, timeout: string): Record<string, string> {
  return { MIN_REPLICAS: min, MAX_CONCURRENT_PROVISIONS: concurrent, PROVISION_INTERVAL_S: interval, API_REQUEST_TIMEOUT_S: timeout };
}

function template(...values: string[]): Record<string, string> {
  const names = [
    'MIN_REPLICAS',
    'MAX_CONCURRENT_PROVISIONS',
    'MIN_PROVISION_INTERVAL_S',
    'HEALTH_CHECK_INTERVAL_S',
    'MONITOR_INTERVAL_S',
    'ENGINE_GRACE_PERIOD_S',
    'AUTOSCALE_INTERVAL_S',
    'API_REQUEST_TIMEOUT_S',
    'PROVISION_TIMEOUT_S',
    'CIRCUIT_BREAKER_THRESHOLD',
    'CIRCUIT_BREAKER_TIMEOUT_S',
  ];
  return Object.fromEntries(names.map((name, index) => [name, values[index]]));
}

/** Variables of the compose files only; no service reads them. */
const FOR_COMPOSE = ['ENV_FILE', 'ENGINES_MEMORY', 'ACEXY_MEMORY'];

it('every load level and every template has a file, and no other file exists', () => {
  expect(readdirSync(FOLDER).filter((name) => name.endsWith('.env'))).toEqual(
    Object.keys(PROFILES)
      .map((name) => `${name}.env`)
      .sort(),
  );
});

describe.each(Object.entries(PROFILES))('the profile %s', (name, { streams, values }) => {
  const file = parseDotenv(readFileSync(join(FOLDER, `${name}.env`)));

  it('has exactly the values of the guide', () => {
    expect(file).toMatchObject(values);
  });

  it('is valid, names itself for compose, and has no unused setting', () => {
    const environment = readEnvironment(ROOT, { ENV_FILE: `deploy/profiles/${name}.env` });
    const known = new Set([
      ...Object.keys(values),
      ...FOR_COMPOSE,
      'MAX_REPLICAS',
      'API_LONG_OPERATION_TIMEOUT_S',
      'ENGINE_MEMORY_LIMIT',
      'ACEXY_BUFFER_TOTAL_MAX',
      'ACEXY_WORKERS',
    ]);
    expect(Object.keys(file).filter((setting) => !known.has(setting))).toEqual([]);
    expect(file.ENV_FILE).toBe(`deploy/profiles/${name}.env`);
    const settings = loadOrchestratorSettings(environment);
    loadAllSettings(PROXY_SETTINGS, environment);
    expect(settings.minReplicas).toBe(Number(values.MIN_REPLICAS));
    expect(settings.minProvisionIntervalMs).toBe(Number(values.PROVISION_INTERVAL_S ?? values.MIN_PROVISION_INTERVAL_S) * 1000);
  });

  it('has enough memory for the buffers of its streams at 8 Mb/s', () => {
    const settings = loadAllSettings(PROXY_SETTINGS, file);
    const broadcast = broadcastSettings(settings.of(BufferSettings), settings.of(ViewerSettings));
    const { bufferTotalBytes: totalBytes } = settings.of(BufferSettings);
    const memoryBytes = parseSize(`${file.ACEXY_MEMORY ?? '2G'}iB`);
    const plan = memoryPlan({ memoryBytes, totalBytes, workers: 1, chunkBytes: broadcast.chunkBytes, socketBytes: 2 ** 20 });
    const demands = demandsOf(Array<StreamFacts>(streams).fill(NEW_STREAM), { ...broadcast, ringBytes: broadcast.maxBytes });
    expect(floorOf(demands)).toBeLessThanOrEqual(plan.bufferBytes);
    expect(plan.neededBytes).toBeLessThanOrEqual(memoryBytes);
  });

  it('has enough engines, ports and queue length for its streams', () => {
    const settings = loadOrchestratorSettings(file);
    expect(settings.maxReplicas).toBeGreaterThan(streams + settings.minReplicas);
    for (const { first, last } of [settings.portRangeHost, settings.httpsRange, settings.apiRange, settings.p2pRange])
      expect(last - first + 1).toBeGreaterThan(settings.maxReplicas * 2);
    expect(settings.provisionTimeoutMs).toBeGreaterThan(settings.maxReplicas * settings.minProvisionIntervalMs);
    expect(settings.apiLongOperationTimeoutMs).toBeGreaterThanOrEqual(settings.apiRequestTimeoutMs);
    // Memory for all engines of this level.
    expect(Number.parseInt(file.ENGINES_MEMORY, 10)).toBeGreaterThanOrEqual(settings.maxReplicas * 0.3 - 0.1);
  });
});

/** PROFILES names the profiles to run, `all` or a list. All of them need minutes and gigabytes: `npm run profiles`. */
const wanted = process.env.PROFILES ?? '';
const RUN_PROFILES: [string, number][] =
  wanted === ''
    ? [['light', 4]]
    : Object.entries(PROFILES)
        .filter(([name]) => wanted === 'all' || wanted.split(',').includes(name))
        .map(([name, { streams }]) => [name, streams]);
const HOLD_SECONDS = wanted === '' ? 2 : 20;
/** Of the contents below. */
const BYTES_PER_SECOND = 500_000 / 8;
/** Contents with only markers at 0.5 Mbit/s, because this tests the pool. Two digits of the rate and a number complete the id. */
const contentOf = (index: number): string => `fa172005${index.toString(16).padStart(32, '0')}`;

describe.each(RUN_PROFILES)('with the profile %s', (name, streams) => {
  it(
    `${streams} streams that begin at once deliver ${HOLD_SECONDS} s more without a gap, and the free engines are back`,
    async () => {
      const {
        ENV_FILE: _self,
        ENGINES_MEMORY: _memory,
        ACEXY_MEMORY: _proxyMemory,
        ...values
      } = parseDotenv(readFileSync(join(FOLDER, `${name}.env`)));
      const settings = loadOrchestratorSettings(values);
      const pair = await Pair.start({
        orchestrator: { ...values, LOG_LEVEL: 'INFO' },
        proxy: { ...values, ACEXY_LOG_LEVEL: 'INFO', ACEXY_LINGER: '0s' },
        engines: { SIM_BOOT_MS: '200', SIM_PREBUF_MS: '200' },
        enginePorts: Math.max(40, settings.maxReplicas * 2),
      });
      try {
        const startedAt = performance.now();
        const seconds = (): string => ((performance.now() - startedAt) / 1000).toFixed(1);
        const free = async (): Promise<number> => (await pair.engines()).filter((engine) => engine.streams.length === 0).length;
        await until('the free engines', async () => (await free()) >= settings.minReplicas, 120_000);
        console.log(`${name}: ${settings.minReplicas} free engines after ${seconds()} s`);
        const viewers = await Promise.all(Array.from({ length: streams }, (_, index) => openStream(pair.streamUrl(contentOf(index)))));
        console.log(`${name}: all ${streams} streams play after ${seconds()} s`);
        await until('as many free engines as before', async () => (await free()) >= settings.minReplicas, 120_000);
        const before = viewers.map(({ bytes }) => bytes);
        const mostStarted = (await pair.startedStreams()).length;
        // An engine sends whole pieces, here one in about 2 s, so a fixed pause could end just before one.
        const received = (viewer: Viewer, index: number): Promise<void> =>
          viewer.untilBytes(before[index] + HOLD_SECONDS * BYTES_PER_SECOND, (HOLD_SECONDS + 10) * 1000);
        await Promise.all(viewers.map(received));
        expect(mostStarted).toBe(streams);
        expect(await free()).toBeGreaterThanOrEqual(settings.minReplicas);
        expect((await pair.engines()).length).toBeLessThanOrEqual(settings.maxReplicas);
        for (const [index, viewer] of viewers.entries()) {
          expect(viewer.ended, `stream ${index} ended`).toBe(false);
          const markers = markersOf(viewer.body);
          expect(markers).toEqual(markers.map((_, place) => markers[0] + place));
        }
        console.log(`${name}: ${HOLD_SECONDS} s more received, with ${(await pair.engines()).length} engines`);
        await Promise.all(viewers.map((viewer) => viewer.leave()));
        await pair.untilNoStreams();
      } finally {
        await pair.stop();
      }
    },
    wanted === '' ? 60_000 : 600_000,
  );
});

/** Like a player, it retries after Retry-After. */
async function openStream(url: string): Promise<Viewer> {
  for (;;) {
    const viewer = await Viewer.open(url);
    if (viewer.status === 200) {
      await viewer.untilBytes(50_000, 120_000);
      return viewer;
    }
    const text = await viewer.text();
    if (viewer.status !== 503) throw new Error(`${url}: ${viewer.status} ${text}`);
    await sleep(Number(viewer.response.headers['retry-after'] ?? 1) * 1000);
  }
}
