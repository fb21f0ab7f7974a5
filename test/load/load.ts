/** The troubleshooting guide's four load levels on real containers: cold start, steady, churn, and a restart of the orchestrator. */
import type { ProvisioningStatus } from '@acexy/contracts';
import { parse as parseDotenv } from 'dotenv';
import { readFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { encodeLoop } from '../../apps/engine-simulator/src/media/loop-file.js';
import { removeContainersWith, simulatorImageWith } from '../support/docker.js';
import { RecordingDockerProxy } from '../support/recording-docker-proxy.js';
import { Pair } from '../support/pair.js';
import { ROOT } from '../support/service-process.js';
import { until } from '../support/until.js';
import { ExpectedBroadcast } from './broadcast-follower.js';
import { loadTestLoop } from './load-clip.js';
import { LEVELS, type Level } from './load-levels.js';
import { LoadFigures, type Memory } from './load-figures.js';
import { LoadViewer, type Start } from './load-viewer.js';
import { SteadyPhase, type SteadyUsage } from './steady-usage.js';

/** Where the engines find their picture. */
const LOOP_IN_IMAGE = '/opt/engine-simulator/media/load.loop';
const START_LIMIT_MS = 360_000;
const READY_LIMIT_MS = 60_000;
/** Time without a start of an engine after which the steady phase begins; the bursts of the streams are over by then. */
const SETTLED_MS = 5_000;
const SETTLE_LIMIT_MS = 120_000;
/** Minimum time between two channel changes of a viewer. */
const ZAP_EVERY_MS = 250;

export interface Phase {
  starts: Start[];
  interruptions: string[];
}

export interface LoadReport {
  level: Level;
  /** Bit rate of every stream, Mb/s. */
  megabits: number;
  streams: number;
  viewers: number;
  cold: Phase;
  churn: Phase;
  steady: Phase;
  restart: Phase;
  usage: SteadyUsage;
  apiMs: number[];
  apiFailures: number;
  /** Milliseconds in which the orchestrator was unreachable. */
  restartMs: number;
  mostEngines: number;
  provisions: number;
  failedProvisions: number;
  breakerOpenings: number;
  memoryMb: Memory;
  dockerCalls: Record<string, number>;
  seconds: number;
  machine: string;
}

export interface LoadOptions {
  level: Level;
  /** Bit rate of every stream, Mb/s. */
  megabits: number;
  viewersPerStream: number;
  /** Seconds of the phases steady and churn. The phase after the restart takes half of it. */
  seconds: number;
  log: (line: string) => void;
}

/** The current viewers by stream. */
class Audience {
  readonly phases: Record<'cold' | 'steady' | 'churn' | 'restart', Phase> = {
    cold: { starts: [], interruptions: [] },
    steady: { starts: [], interruptions: [] },
    churn: { starts: [], interruptions: [] },
    restart: { starts: [], interruptions: [] },
  };
  /** Number of contents so far; none is used twice. */
  private contents = 0;
  private streams: LoadViewer[][] = [];

  constructor(
    private readonly pair: Pair,
    private readonly expected: ExpectedBroadcast,
    private readonly viewersPerStream: number,
  ) {}

  get viewers(): LoadViewer[] {
    return this.streams.flat();
  }

  /** Opens one more stream; resolves with its start result. */
  async open(phase: keyof Audience['phases']): Promise<void> {
    const content = `0ead0000${(this.contents++).toString(16).padStart(32, '0')}`;
    const viewers = Array.from(
      { length: this.viewersPerStream },
      () => new LoadViewer(this.pair.streamUrl(content), content, this.expected),
    );
    this.streams.push(viewers);
    this.phases[phase].starts.push(...(await Promise.all(viewers.map(({ started }) => started))));
  }

  /** Replaces the oldest stream with another one. */
  async zap(phase: keyof Audience['phases']): Promise<void> {
    const left = this.streams.shift();
    if (left === undefined) return;
    await this.leave(phase, left);
    await this.open(phase);
  }

  /** Assigns the interruptions so far to the phase. */
  note(phase: keyof Audience['phases']): void {
    for (const { interruptions } of this.viewers) this.phases[phase].interruptions.push(...interruptions.splice(0));
  }

  async allLeave(phase: keyof Audience['phases']): Promise<void> {
    await this.leave(phase, this.viewers);
    this.streams = [];
  }

  private async leave(phase: keyof Audience['phases'], viewers: LoadViewer[]): Promise<void> {
    await Promise.all(viewers.map((viewer) => viewer.leave()));
    for (const { interruptions } of viewers) this.phases[phase].interruptions.push(...interruptions.splice(0));
  }
}

/** Resolves when the pool has its free engines and has started none for a while: starting a container takes much CPU time. */
async function untilSettled(pair: Pair): Promise<void> {
  let lastStartAt = performance.now();
  await until(
    'the pool is settled',
    async () => {
      const { provisioning } = (await (await fetch(`${pair.apiUrl}/health/ready`)).json()) as { provisioning: ProvisioningStatus };
      if (provisioning.in_progress + provisioning.queued > 0) lastStartAt = performance.now();
      return performance.now() - lastStartAt > SETTLED_MS;
    },
    SETTLE_LIMIT_MS,
  );
}

/** Measures while all streams play for `seconds`. */
async function steadyUsage(
  pair: Pair,
  label: string,
  audience: Audience,
  { seconds, megabits }: Pick<LoadOptions, 'seconds' | 'megabits'>,
): Promise<SteadyUsage> {
  // Viewers without a stream are counted elsewhere.
  const viewers = audience.viewers.filter(({ bytes }) => bytes > 0);
  const phase = await SteadyPhase.start(pair, label);
  const before = viewers.map(({ bytes }) => bytes);
  await sleep(seconds * 1000);
  const usage = phase.finish();
  const received = viewers.map(({ bytes }, index) => bytes - before[index]);
  return {
    ...usage,
    gigabytes: received.reduce((sum, bytes) => sum + bytes, 0) / 1e9,
    slowest: Math.min(...received) / ((megabits * 1e6 * usage.seconds) / 8),
    delaysMs: viewers.map(({ delayMs }) => delayMs),
  };
}

/** Number of viewers whose stream never started. */
const notStarted = (phases: Audience['phases']): number =>
  Object.values(phases).reduce((sum, { starts }) => sum + starts.filter(({ firstByteMs }) => firstByteMs === null).length, 0);

export async function runLoad({ level, seconds, megabits, viewersPerStream, log }: LoadOptions): Promise<LoadReport> {
  const streams = LEVELS[level];
  const loop = loadTestLoop(megabits);
  const picture = { SIM_BITRATE: String(megabits * 1e6), SIM_LOOP_FILE: LOOP_IN_IMAGE };
  const image = simulatorImageWith(`acestream-engine-simulator-load:${megabits}`, picture, {
    files: { [LOOP_IN_IMAGE]: encodeLoop(loop) },
    // Docker starts several processes for each check: those of 120 engines would take a third of a core.
    healthCheck: false,
  });
  const {
    ENV_FILE: _self,
    ENGINES_MEMORY: _memory,
    ACEXY_MEMORY: _proxyMemory,
    ...profile
  } = parseDotenv(readFileSync(join(ROOT, `deploy/profiles/${level}.env`)));
  const label = `load=load-${process.pid}`;
  const dockerProxy = await RecordingDockerProxy.open();
  const pair = await Pair.start({
    orchestrator: {
      ...profile,
      LOG_LEVEL: 'INFO',
      ENGINE_RUNTIME: 'docker',
      DOCKER_HOST: dockerProxy.host,
      TARGET_IMAGE: image,
      IMAGE_PULL: 'never',
      CONTAINER_LABEL: label,
      STOP_ENGINES_ON_EXIT: 'false',
    },
    proxy: { ...profile, ACEXY_LOG_LEVEL: 'INFO' },
    enginePorts: Number(profile.MAX_REPLICAS) * 2 + 40,
  });
  try {
    const figures = new LoadFigures(pair);
    const audience = new Audience(pair, new ExpectedBroadcast(loop), viewersPerStream);
    const { phases } = audience;

    log(`${level}: ${streams} streams of ${megabits} Mb/s at once on a fresh orchestrator`);
    const opened = Array.from({ length: streams }, () => audience.open('cold'));
    await Promise.race([Promise.all(opened), sleep(START_LIMIT_MS)]);
    audience.note('cold');
    log(`${level}: ${phases.cold.starts.filter(({ firstByteMs }) => firstByteMs !== null).length} viewers have their stream`);
    for (const { failure, refusals } of phases.cold.starts)
      if (failure !== null) log(`${level}: not started: ${failure}, after ${refusals} refusals`);

    await untilSettled(pair);
    const usage = await steadyUsage(pair, label, audience, { seconds, megabits });
    audience.note('steady');
    log(`${level}: all streams held for ${seconds} s`);

    // One in five viewers, at least ten, change channel, spread over the time.
    const zaps = Math.max(10, Math.ceil(streams / 5));
    const everyMs = Math.max(ZAP_EVERY_MS, (seconds * 1000) / zaps);
    const changes: Promise<void>[] = [];
    for (let zap = 0; zap < zaps; zap += 1) {
      changes.push(audience.zap('churn'));
      await sleep(everyMs);
    }
    await Promise.all(changes);
    audience.note('churn');
    log(`${level}: ${zaps} streams changed`);

    const viewers = audience.viewers.length;
    await figures.beforeRestart();
    const stoppedAt = performance.now();
    const { signal } = await pair.orchestrator.stop();
    if (signal !== null) log(`${level}: the orchestrator did not exit on SIGTERM (${signal})`);
    const exitMs = performance.now() - stoppedAt;
    pair.startOrchestrator();
    // Viewers that change channel at this moment must not notice.
    const during = Array.from({ length: Math.ceil(streams / 20) }, () => audience.zap('restart'));
    await until('the orchestrator', async () => (await fetch(`${pair.apiUrl}/health/ready`)).ok, READY_LIMIT_MS);
    const restartMs = performance.now() - stoppedAt;
    figures.afterRestart();
    await Promise.all(during);
    await until(
      'all streams are listed again',
      async () => (await pair.startedStreams()).length >= streams - notStarted(phases),
      READY_LIMIT_MS,
    );
    await sleep((seconds * 1000) / 2);
    audience.note('restart');
    log(
      `${level}: the orchestrator was unreachable for ${(restartMs / 1000).toFixed(1)} s, with an exit of ${(exitMs / 1000).toFixed(1)} s`,
    );

    const last = await figures.finish();
    const { apiMs, apiFailures, mostEngines, memoryMb } = figures;
    const dockerCalls = dockerProxy.counts;
    await audience.allLeave('restart');
    return {
      ...{
        level,
        megabits,
        streams,
        viewers,
        ...phases,
        usage,
        apiMs,
        apiFailures,
        restartMs,
        mostEngines,
        ...last,
        memoryMb,
        dockerCalls,
      },
      machine: `${cpus()[0].model.trim()}, ${cpus().length} cores, ${Math.round(totalmem() / 1e9)} GB, Node ${process.version}`,
    };
  } catch (error) {
    // Printed at once, because the cleanup may fail too.
    log(`${level}: ${(error as Error).stack}`);
    throw error;
  } finally {
    // Stop the pair first. Otherwise it replaces the engines that are removed.
    await pair.stop();
    await dockerProxy.close();
    await removeContainersWith(label);
  }
}
