/**
 * Real players watch one stream while its engines fail in every way. Other players join and leave, and a slow viewer watches too. No player may
 * exit before the end of the run or report an error.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { BrowserPlayer, HAS_BROWSER, type PlayerState } from '../support/browser.js';
import { Pair, type StreamStatus, contentId } from '../support/pair.js';
import { Player, type PlayerName, type PlayerReport } from '../support/players.js';
import { processResourcesOf } from '../support/process-resources.js';
import type { SimulatorControl } from '../support/simulator-control.js';
import { ViewerStreamChecker, type ViewerStreamReport } from '../support/viewer-stream-checker.js';
import { until } from '../support/until.js';
import { Viewer } from '../support/viewer.js';
import { readSlowly } from '../support/slow-reader.js';

export interface SoakOptions {
  readonly seconds: number;
  readonly players: readonly PlayerName[];
  /** Number of players that join in each round; 1 by default. */
  readonly visitors?: number;
  /** Each player watches twice, as TS and as HLS, and a browser watches too. One player of each kind is paused once. */
  readonly hls?: boolean;
  /** Only faults whose name contains this. */
  readonly only?: string;
  /** Receives one line per event. */
  readonly log: (line: string) => void;
}

export interface SoakReport {
  readonly rounds: readonly SoakRound[];
  /** Players that watched the whole run. */
  readonly watching: readonly PlayerReport[];
  /** Players that joined during the run. */
  readonly joined: readonly PlayerReport[];
  /** hls.js in a browser; null without a browser. */
  readonly web: PlayerState | null;
  /** Largest number of engine sessions between two faults, after the sessions on failed engines ended. */
  readonly sessions: number;
  readonly checker: ViewerStreamReport;
  readonly slow: ViewerStreamReport;
  /** Number of times that the slow viewer was moved to a newer keyframe. */
  readonly skips: number;
  readonly watchedSeconds: number;
}

export interface SoakRound {
  readonly fault: string;
  /** No content may be lost or repeated. */
  readonly exact: boolean;
  /** Lost content by the markers, or `exact`. */
  readonly outcome: string;
  /** The longest time without a byte for a viewer, seconds. */
  readonly silence: number;
}

interface SoakFault {
  readonly name: string;
  readonly exact: boolean;
  /** Makes the engine that delivers the stream fail. `all` contains every engine. */
  inflict(engine: SimulatorControl, all: readonly SimulatorControl[]): Promise<unknown>;
}

/** Length of an engine's initial burst, seconds. After a longer outage no engine has the missing content. */
export const BURST_S = 6;
/** Longer than the burst, so that content is lost. */
const OUTAGE_MS = 9000;

const FAULTS: readonly SoakFault[] = [
  { name: 'the engine is killed', exact: true, inflict: async (engine) => process.kill(await engine.pid(), 'SIGKILL') },
  { name: 'the engine ends the session', exact: true, inflict: (engine) => engine.end('superseded') },
  { name: 'the engine resets the connection', exact: true, inflict: (engine) => engine.fault('resetAfterMs', 1) },
  { name: 'the engine loses the session and becomes silent', exact: true, inflict: (engine) => engine.end('lost') },
  { name: 'the engine hangs', exact: true, inflict: (engine) => engine.fault('hangAll', true) },
  { name: 'the engine is unhealthy and drained', exact: true, inflict: (engine) => engine.fault('unavailable', true) },
  { name: 'garbage between the packets', exact: true, inflict: (engine) => engine.fault('garbagePpm', 700) },
  {
    name: `no engine plays for ${OUTAGE_MS / 1000} s`,
    exact: false,
    inflict: async (engine, all) => {
      await Promise.all(all.map((one) => one.fault('refuseContent', 'failed to load content', OUTAGE_MS)));
      await engine.end('superseded');
    },
  },
];

/** On a busy machine the start of the players may take the whole time of a short run. */
const LEAST_ROUNDS = 2;
/** How long a joining player stays, ms, and how long it may take to start, because it may join during a pause. */
const VISIT_MS = 8000;
const PLAYED_MS = 30_000;
const RECOVERY_MS = 3000;
/** For this long a user pauses a player, ms. */
const PAUSE_MS = 4000;
/** A slow viewer reads this many bytes in this time: a quarter of the stream. */
const SLOW_READ_BYTES = 100_000;
const SLOW_READ_MS = 2000;

const STREAM = contentId(1);

export async function runSoak({ seconds, players, visitors = 1, hls = false, only = '', log }: SoakOptions): Promise<SoakReport> {
  const pair = await Pair.start({
    engines: { SIM_BOOT_MS: '300', SIM_PREBUF_MS: '200', SIM_BITRATE: '1500000', SIM_BURST_SEC: String(BURST_S) },
    orchestrator: {
      LOG_LEVEL: 'INFO',
      MIN_REPLICAS: '2',
      MAX_REPLICAS: '4',
      MIN_PROVISION_INTERVAL_S: '0.05',
      HEALTH_CHECK_INTERVAL_S: '1',
      HEALTH_FAILURE_THRESHOLD: '2',
      HEALTH_UNHEALTHY_GRACE_PERIOD_S: '1',
      HEALTH_REPLACEMENT_COOLDOWN_S: '1', // two faults in a row make two engines unhealthy within seconds
    },
    proxy: { ACEXY_LOG_LEVEL: 'INFO', ACEXY_STALL_TIMEOUT: '3s', ACEXY_BUFFER_SECONDS: '8', ACEXY_MAX_SKIPS: '1000000' },
  });
  try {
    return await new Soak(
      pair,
      players,
      visitors,
      hls,
      FAULTS.filter(({ name }) => name.includes(only)),
      log,
    ).run(seconds);
  } finally {
    await pair.stop();
  }
}

class Soak {
  private readonly url: string;
  private readonly playlist: string;
  private sessions = 0;
  private readonly startedAt = performance.now();
  private readonly rounds: SoakRound[] = [];
  private readonly joined: PlayerReport[] = [];

  constructor(
    private readonly pair: Pair,
    private readonly players: readonly PlayerName[],
    private readonly visitors: number,
    private readonly hls: boolean,
    private readonly faults: readonly SoakFault[],
    private readonly log: (line: string) => void,
  ) {
    this.url = pair.streamUrl(STREAM);
    this.playlist = `${pair.proxyUrl}/ace/manifest.m3u8?id=${STREAM}`;
  }

  async run(seconds: number): Promise<SoakReport> {
    const checker = new ViewerStreamChecker({ fromJoin: true });
    const viewer = await Viewer.open(this.url, { keep: false, onChunk: (chunk) => checker.push(chunk) });
    const slowChecker = new ViewerStreamChecker({ fromJoin: true });
    const slow = await Viewer.open(this.url, { keep: false, onChunk: (chunk) => slowChecker.push(chunk) });
    const slowReads = readSlowly(slow, SLOW_READ_BYTES, SLOW_READ_MS);
    const watching = this.players.map((name) => new Player(name, this.url));
    if (this.hls) watching.push(...this.players.map((name) => new Player(name, this.playlist, 'hls')));
    const web = this.hls && HAS_BROWSER ? await BrowserPlayer.open(this.playlist) : null;
    await until('all players play', async () => watching.every((player) => player.report().startedAfter !== null), 60_000);
    this.logLine(`${watching.length} players, ${web === null ? '' : 'a browser, '}a checker and a slow viewer watch`);
    const paused = this.hls ? this.pauseFor(PAUSE_MS, watching, web) : Promise.resolve();

    for (let index = 0; index < LEAST_ROUNDS || this.seconds() < seconds; index += 1) {
      await this.round(this.faults[index % this.faults.length], this.visitorsOf(index), checker);
      const exited = watching.filter((player) => !player.report().endedWell);
      if (exited.length > 0) this.logLine(`EXITED: ${exited.map(({ name }) => name).join(', ')}`);
    }

    await paused;
    const { viewers } = await this.status();
    clearInterval(slowReads);
    const page = (await web?.state()) ?? null;
    await web?.close();
    const reports = await Promise.all(watching.map((player) => player.quit()));
    await viewer.leave();
    await slow.leave();
    return {
      rounds: this.rounds,
      watching: reports,
      joined: this.joined,
      web: page,
      sessions: this.sessions,
      checker: checker.verdict(),
      slow: slowChecker.verdict(),
      skips: Math.max(0, ...viewers.map(({ skips }) => skips)),
      watchedSeconds: [...reports, ...this.joined].reduce((sum, { watched }) => sum + watched, 0),
    };
  }

  /** Pauses one TS player and one HLS player and resumes them, during the first fault. */
  private async pauseFor(ms: number, watching: readonly Player[], web: BrowserPlayer | null): Promise<void> {
    const vlc = watching.find(({ name, form }) => name === 'vlc' && form === 'ts');
    vlc?.togglePause();
    await web?.pause();
    await sleep(ms);
    vlc?.togglePause();
    await web?.play();
  }

  private visitorsOf(round: number): PlayerName[] {
    return Array.from({ length: this.visitors }, (_, index) => this.players[(round * this.visitors + index) % this.players.length]);
  }

  /** One fault, while more players join and leave. */
  private async round(fault: SoakFault, visitors: readonly PlayerName[], checker: ViewerStreamChecker): Promise<void> {
    const before = await this.status();
    const engine = this.pair.controlOf(before.engine.port);
    const all = (await this.pair.engines()).map((state) => this.pair.control(state));
    this.sessions = Math.max(this.sessions, await settledSessions(all));
    checker.takeSilence();
    const breaks = checker.verdict().breaks.length;
    const visits = visitors.map((name) => this.visit(name));
    await fault.inflict(engine, all);
    const after = await until(
      `the stream continues after: ${fault.name}`,
      async () => {
        const status = await this.status();
        return status.failovers > before.failovers && status.state === 'playing' && status;
      },
      45_000,
    );
    await sleep(RECOVERY_MS);
    await Promise.all(all.map((one) => one.clearFaults().catch(() => undefined))); // the killed engine does not answer
    const gaps = checker.verdict().breaks.slice(breaks);
    const outcome = gaps.length === 0 ? 'exact' : gaps.map(({ from, to }) => `${((to - from - 1) / 10).toFixed(1)} s lost`).join(', ');
    const silence = checker.takeSilence();
    this.rounds.push({ fault: fault.name, exact: fault.exact, outcome, silence });
    const joined = await Promise.all(visits);
    this.logLine(
      `${fault.name}: ${outcome}, ${silence.toFixed(1)} s without a byte, failover ${after.failovers}; ${joined.map((report) => this.describe(report)).join(', ')}; ${await this.proxyResources()}`,
    );
  }

  private async visit(name: PlayerName): Promise<PlayerReport> {
    const player = new Player(name, this.url);
    await sleep(VISIT_MS);
    await until(`${name} plays`, async () => player.report().startedAfter !== null, PLAYED_MS).catch(() => undefined); // the report shows it
    const report = await player.quit();
    this.joined.push(report);
    return report;
  }

  private describe(report: PlayerReport): string {
    const { player, startedAfter, complaints } = report;
    const picture = startedAfter === null ? 'without playback' : `and played after ${startedAfter.toFixed(1)} s`;
    return `${player} joined ${picture}${complaints.length === 0 ? '' : `, ERRORS: ${complaints.join(' | ')}`}`;
  }

  private async proxyResources(): Promise<string> {
    const { resident, files } = await processResourcesOf(this.pair.proxyUrl);
    return `proxy ${Math.round(resident / 1024 ** 2)} MB, ${files} files`;
  }

  private status(): Promise<StreamStatus> {
    return this.pair.streamStatus(STREAM);
  }

  private logLine(line: string): void {
    this.log(`${this.seconds().toFixed(1).padStart(7)} s  ${line}`);
  }

  private seconds(): number {
    return (performance.now() - this.startedAt) / 1000;
  }
}

/** A hanging engine cannot receive a stop and keeps its sessions until it is replaced. */
const REPLACED_MS = 20_000;

async function settledSessions(engines: readonly SimulatorControl[]): Promise<number> {
  let sessions = 0;
  const one = async (): Promise<boolean> => (sessions = await activeSessions(engines)) <= 1;
  // The final check reports more than one session.
  await until('one session', one, REPLACED_MS).catch(() => undefined);
  return sessions;
}

/** Number of active sessions of all engines. A killed engine stays in the list for a moment and counts as 0. */
async function activeSessions(engines: readonly SimulatorControl[]): Promise<number> {
  const metrics = await Promise.all(engines.map((engine) => engine.metrics().catch(() => null)));
  return metrics.reduce((sum, one) => sum + (one?.sessions.active ?? 0), 0);
}
