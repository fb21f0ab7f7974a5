/** The troubleshooting guide's four load levels on real containers: cold start, steady, churn, and a restart of the orchestrator. */
import { parse as parseDotenv } from 'dotenv';
import { readFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { removeContainersWith, SIMULATOR_IMAGE } from '../support/docker.js';
import { RecordingDockerProxy } from '../support/recording-docker-proxy.js';
import { Pair } from '../support/pair.js';
import { ROOT } from '../support/service-process.js';
import { until } from '../support/until.js';
import { LoadFigures, type Usage } from './load-figures.js';
import { LoadViewer, type Start } from './load-viewer.js';

/** Number of concurrent streams. */
export const LEVELS = { light: 10, medium: 50, high: 100, 'very-high': 120 } as const;
export type Level = keyof typeof LEVELS;

/** Number of streams with video at 3.5 Mb/s and two viewers each. The others have only markers at 0.5 Mb/s, and one viewer. */
const REAL_STREAMS = 10;
const START_LIMIT_MS = 240_000;
const READY_LIMIT_MS = 60_000;
/** Minimum time between two channel changes of a viewer. */
const ZAP_EVERY_MS = 250;

export interface Phase {
  starts: Start[];
  interruptions: string[];
}

export interface LoadReport {
  level: Level;
  streams: number;
  viewers: number;
  cold: Phase;
  churn: Phase;
  steady: Phase;
  restart: Phase;
  apiMs: number[];
  apiFailures: number;
  /** Milliseconds in which the orchestrator was unreachable. */
  restartMs: number;
  mostEngines: number;
  provisions: number;
  failedProvisions: number;
  breakerOpenings: number;
  orchestrator: Usage;
  proxy: Usage;
  dockerCalls: Record<string, number>;
  seconds: number;
  /** CPU use of all processors, 0 to 1. */
  machineBusy: number;
  machine: string;
}

export interface LoadOptions {
  level: Level;
  /** Seconds of the phases steady and churn. The phase after the restart takes half of it. */
  seconds: number;
  log: (line: string) => void;
}

/** The contents of a run, without repeats. */
class Contents {
  private count = 0;

  next(real: boolean): string {
    const number = (this.count++).toString(16).padStart(32, '0');
    return `${real ? '0ead0000' : 'fa172005'}${number}`;
  }
}

/** The current viewers by stream. */
class Audience {
  readonly phases: Record<'cold' | 'steady' | 'churn' | 'restart', Phase> = {
    cold: { starts: [], interruptions: [] },
    steady: { starts: [], interruptions: [] },
    churn: { starts: [], interruptions: [] },
    restart: { starts: [], interruptions: [] },
  };
  private readonly contents = new Contents();
  private streams: { real: boolean; viewers: LoadViewer[] }[] = [];

  constructor(private readonly pair: Pair) {}

  get viewers(): number {
    return this.streams.reduce((sum, { viewers }) => sum + viewers.length, 0);
  }

  /** Opens one more stream; resolves with its start result. */
  async open(phase: keyof Audience['phases'], real: boolean): Promise<void> {
    const content = this.contents.next(real);
    const viewers = Array.from({ length: real ? 2 : 1 }, () => new LoadViewer(this.pair.streamUrl(content), content.slice(-6)));
    this.streams.push({ real, viewers });
    this.phases[phase].starts.push(...(await Promise.all(viewers.map(({ started }) => started))));
  }

  /** Replaces the oldest stream with another one. */
  async zap(phase: keyof Audience['phases']): Promise<void> {
    const left = this.streams.shift();
    if (left === undefined) return;
    await this.leave(phase, left.viewers);
    await this.open(phase, left.real);
  }

  /** Assigns the interruptions so far to the phase. */
  note(phase: keyof Audience['phases']): void {
    for (const { viewers } of this.streams)
      for (const { interruptions } of viewers) this.phases[phase].interruptions.push(...interruptions.splice(0));
  }

  async allLeave(phase: keyof Audience['phases']): Promise<void> {
    await Promise.all(this.streams.map(({ viewers }) => this.leave(phase, viewers)));
    this.streams = [];
  }

  private async leave(phase: keyof Audience['phases'], viewers: LoadViewer[]): Promise<void> {
    await Promise.all(viewers.map((viewer) => viewer.leave()));
    for (const { interruptions } of viewers) this.phases[phase].interruptions.push(...interruptions.splice(0));
  }
}

/** Number of viewers whose stream never started. */
const notStarted = (phases: Audience['phases']): number =>
  Object.values(phases).reduce((sum, { starts }) => sum + starts.filter(({ firstByteMs }) => firstByteMs === null).length, 0);

export async function runLoad({ level, seconds, log }: LoadOptions): Promise<LoadReport> {
  const streams = LEVELS[level];
  const { ENV_FILE: _self, ENGINES_MEMORY: _memory, ...profile } = parseDotenv(readFileSync(join(ROOT, `deploy/profiles/${level}.env`)));
  const label = `load-${process.pid}`;
  const dockerProxy = await RecordingDockerProxy.open();
  const pair = await Pair.start({
    orchestrator: {
      ...profile,
      LOG_LEVEL: 'INFO',
      ENGINE_RUNTIME: 'docker',
      DOCKER_HOST: dockerProxy.host,
      TARGET_IMAGE: SIMULATOR_IMAGE,
      IMAGE_PULL: 'never',
      CONTAINER_LABEL: `load=${label}`,
      STOP_ENGINES_ON_EXIT: 'false',
    },
    proxy: { ...profile, ACEXY_LOG_LEVEL: 'INFO' },
    enginePorts: Number(profile.MAX_REPLICAS) * 2 + 40,
  });
  try {
    const figures = new LoadFigures(pair);
    const audience = new Audience(pair);
    const { phases } = audience;

    log(`${level}: ${streams} streams at once on a fresh orchestrator`);
    const opened = Array.from({ length: streams }, (_, index) => audience.open('cold', index < REAL_STREAMS));
    await Promise.race([Promise.all(opened), sleep(START_LIMIT_MS)]);
    audience.note('cold');
    log(`${level}: ${phases.cold.starts.filter(({ firstByteMs }) => firstByteMs !== null).length} viewers have their stream`);
    for (const { failure, refusals } of phases.cold.starts)
      if (failure !== null) log(`${level}: not started: ${failure}, after ${refusals} refusals`);

    await sleep(seconds * 1000);
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

    const viewers = audience.viewers;
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
    const { apiMs, apiFailures, mostEngines, orchestrator, proxy } = figures;
    const dockerCalls = dockerProxy.counts;
    await audience.allLeave('restart');
    return {
      ...{ level, streams, viewers, ...phases, apiMs, apiFailures, restartMs, mostEngines, ...last, orchestrator, proxy, dockerCalls },
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
    await removeContainersWith(`load=${label}`);
  }
}
