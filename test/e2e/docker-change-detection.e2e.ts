import type { EngineState } from '@acexy/contracts';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { docker, DOCKER_MISSING, simulatorImageWith } from '../support/docker.js';
import { OrchestratorProcess } from '../support/orchestrator-process.js';
import { RecordingDockerProxy } from '../support/recording-docker-proxy.js';
import { until } from '../support/until.js';

const IMAGE = 'acestream-engine-simulator-fast:test';
const ENGINES = 3;
const ROUNDS = Number(process.env.DETECTION_ROUNDS ?? 1);
/** Two lists are 600 s apart, so a longer time than this would not be a list either; `detected after ms` shows the figures. */
const LIMIT_MS = 10_000;

/** Manual actions of an operator on a container. */
const BY_HAND = {
  killed: (id: string) => docker.getContainer(id).kill(),
  removed: (id: string) => docker.getContainer(id).remove({ force: true }),
  restarted: (id: string) => docker.getContainer(id).restart({ t: 1 }),
};

/** The tap in front of the real Docker Engine makes it look like Engine 29: no `id` in events, and no API version below 1.44. */
describe.skipIf(DOCKER_MISSING !== null)('an engine that is stopped by hand on a Docker Engine with API 1.52', () => {
  let tap: RecordingDockerProxy;
  let orchestrator: OrchestratorProcess;
  let deaths: Deaths;

  beforeAll(async () => {
    simulatorImageWith(IMAGE, { SIM_BOOT_MS: '300', SIM_PREBUF_MS: '200' });
    deaths = await Deaths.watch();
    tap = await RecordingDockerProxy.open(null, { asEngine29: true });
    // The periodic list is too rare to matter here: only events show the change.
    orchestrator = await OrchestratorProcess.start({
      ENGINE_RUNTIME: 'docker',
      DOCKER_HOST: tap.host,
      TARGET_IMAGE: IMAGE,
      IMAGE_PULL: 'never',
      MIN_REPLICAS: String(ENGINES),
      MAX_REPLICAS: String(ENGINES + 1),
      MIN_PROVISION_INTERVAL_S: '0',
      MONITOR_INTERVAL_S: '600',
    });
  });
  afterAll(async () => {
    await orchestrator?.stop();
    await tap?.close();
    deaths?.stop();
  });

  it(
    `leaves the list by Docker's event, not by the next list of containers, after kill, removal or restart, ${ROUNDS} times each`,
    { timeout: 300_000 },
    async () => {
      const seen: { how: string; ms: number }[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        for (const [how, act] of Object.entries(BY_HAND)) {
          const [engine] = await until(
            'the pool has all engines',
            async () => {
              const engines = await orchestrator.get<EngineState[]>('/engines');
              return engines.length >= ENGINES && engines;
            },
            60_000,
          );
          const acting = act(engine.container_id);
          const at = await untilGone(orchestrator, engine);
          await acting;
          const diedAt = await deaths.of(engine.container_id);
          seen.push({ how, ms: at - diedAt });
        }
      }
      const sorted = seen.map(({ ms }) => ms).sort((a, b) => a - b);
      const perKind = Object.keys(BY_HAND).map(
        (how) => `${how} ${seen.flatMap((one) => (one.how === how ? [Math.round(one.ms)] : [])).join(', ')}`,
      );
      console.log(`detected after ms: ${perKind.join('; ')}; p50 ${Math.round(median(sorted))}, max ${Math.round(sorted.at(-1) ?? NaN)}`);
      expect(seen.filter(({ ms }) => ms > LIMIT_MS)).toEqual([]);
    },
  );
});

/** Time when this engine has left the list, milliseconds since the epoch. */
function untilGone(orchestrator: OrchestratorProcess, { container_id: id, first_seen: since }: EngineState): Promise<number> {
  return until('the engine is gone', async () => {
    const engines = await orchestrator.get<EngineState[]>('/engines');
    return !engines.some((one) => one.container_id === id && one.first_seen === since) && Date.now();
  });
}

/** Times of container deaths by Docker's clock. */
class Deaths {
  private readonly last = new Map<string, number>();

  private constructor(private readonly stream: Readable) {
    createInterface(stream).on('line', (line) => {
      const { Actor, timeNano } = JSON.parse(line) as { Actor: { ID: string }; timeNano: number };
      this.last.set(Actor.ID, timeNano / 1e6);
    });
  }

  static async watch(): Promise<Deaths> {
    return new Deaths((await docker.getEvents({ filters: { type: ['container'], event: ['die'] } })) as Readable);
  }

  /** Milliseconds since the epoch. */
  of(id: string): Promise<number> {
    return until('Docker reports the death', () => Promise.resolve(this.last.get(id)));
  }

  stop(): void {
    this.stream.destroy();
  }
}

function median(sorted: readonly number[]): number {
  return sorted[Math.floor(sorted.length / 2)];
}
