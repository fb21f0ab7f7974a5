/**
 * Random faults on the engines of four streams while fifty viewers watch, some of them slow and some of them zapping. One seed determines all
 * random choices. Enough engines always work, so every viewer that stays must keep its connection. At the end no resources may be left.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { contentId } from '../support/pair.js';
import { SeededRandom } from '../support/random.js';
import { ViewerStreamChecker } from '../support/viewer-stream-checker.js';
import { type ProcessResources, processResourcesOf } from '../support/process-resources.js';
import { until } from '../support/until.js';
import { Viewer } from '../support/viewer.js';
import { EngineFleet, type FleetEngine } from './engine-fleet.js';
import { readSlowly } from '../support/slow-reader.js';

export interface ChaosOptions {
  readonly seed: number;
  readonly faults: number;
  readonly viewers: number;
  readonly log: (line: string) => void;
}

export interface ChaosReport {
  readonly faults: ReadonlyMap<string, number>;
  /** Viewers that stayed and lost their connection, with the reason. */
  readonly lost: readonly string[];
  /** Viewers that did not get a stream. */
  readonly rejected: readonly string[];
  readonly visits: number;
  /** Violations that the independent checker found in any viewer's stream. */
  readonly violations: readonly string[];
  /** Longest time without a byte for a viewer, seconds. */
  readonly longestSilence: number;
  readonly failovers: number;
  /** Engines whose session counts do not add up. */
  readonly unaccounted: readonly string[];
  readonly before: ProcessResources;
  readonly after: ProcessResources;
  /** Samples of resident memory during the run, bytes. */
  readonly memory: readonly number[];
}

const STREAMS = 4;
const ENGINES = 8;
/** Most engines with a fault at the same time. With four, the four streams would have no spare engine. */
const MAX_FAULTY = 3;
/** Shares of viewers that are slow or zap. The others stay. */
const SLOW = 0.1;
const ZAPPING = 0.2;
/** Share of faults that hit an engine in use. */
const IN_USE = 0.7;
/** Time between two faults, ms. */
const PAUSE_MS = [150, 550] as const;
/** Duration of a fault, ms. */
const FAULT_MS = [300, 2500] as const;
/** A slow viewer reads this many bytes in this time: a third of the stream. */
const SLOW_READ_BYTES = 20_000;
const SLOW_READ_MS = 1000;
const MEMORY_SAMPLES = 60;
/** Longer silences are logged, seconds. A stall, its standby engine and one failed start together take less. */
const LONG_SILENCE_S = 8;

interface ChaosFault {
  readonly name: string;
  inflict(engine: FleetEngine): Promise<unknown>;
  /** With this fault the engine does not receive stop requests, or never sent its stop URL. */
  readonly unreachable?: true;
}

const setting = (name: string, values: Readonly<Record<string, unknown>>, unreachable?: true): ChaosFault => ({
  name,
  inflict: (engine) => engine.control.faults(values),
  unreachable,
});

const FAULTS: readonly ChaosFault[] = [
  { name: 'ends its sessions', inflict: (engine) => engine.control.end('superseded') },
  { name: 'forgets its sessions', inflict: (engine) => engine.control.end('lost') },
  { name: 'restarts', inflict: (engine) => engine.control.restart(), unreachable: true },
  { name: 'is killed', inflict: (engine) => engine.kill(), unreachable: true },
  setting('ends streams', { eofAfterMs: 1 }),
  setting('breaks connections', { resetAfterMs: 1 }),
  setting('falls silent', { stallAfterMs: 1 }),
  setting('refuses the content', { refuseContent: 'failed to load content' }),
  setting('answers 500', { httpStatus: 500 }),
  setting('answers late', { jsonDelayMs: 1000 }),
  setting('answers HTML for JSON', { htmlInsteadOfJson: true }, true),
  setting('never has a first byte', { prebufMode: 'hold-forever' }),
  setting('answers 500 to media requests', { prebufMode: 'http500-forever' }),
  setting('sends headers only', { headersThenSilence: true }),
  setting('hangs', { hangAll: true }, true),
  setting('does not reply', { acceptNoReply: true }, true),
  setting('closes its ports', { refuse: true }, true),
  setting('resets connections', { resetConnections: true }, true),
  setting('answers 503', { unavailable: true }, true),
  setting('is slow', { slowHttpMs: 400 }),
  setting('starts in the middle of a packet', { startAt: 'packet', misalignedStart: true }),
];

export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const fleet = await EngineFleet.open(ENGINES);
  try {
    return await new ChaosRun(fleet, options).run();
  } finally {
    await fleet.close();
  }
}

class ChaosRun {
  private readonly random: SeededRandom;
  private readonly counts = new Map<string, number>();
  private readonly faulty = new Set<FleetEngine>();
  private readonly lost: string[] = [];
  private readonly rejected: string[] = [];
  private readonly violations: string[] = [];
  private readonly memory: number[] = [];
  /** Streams of which a viewer logs silences. */
  private readonly loggedStreams = new Set<number>();
  private readonly recoveries: Promise<void>[] = [];
  private visits = 0;
  private longestSilence = 0;
  private over = false;

  constructor(
    private readonly fleet: EngineFleet,
    private readonly options: ChaosOptions,
  ) {
    this.random = new SeededRandom(options.seed);
  }

  async run(): Promise<ChaosReport> {
    const { viewers: count, log } = this.options;
    await this.warmUp();
    const before = await this.fleet.idleResources();
    const zappers = Math.round(count * ZAPPING);
    const slow = Math.round(count * SLOW);
    const staying = await Promise.all(Array.from({ length: count - zappers }, (_, index) => this.openStayingViewer(index, index < slow)));
    const zapping = Array.from({ length: zappers }, (_, index) => this.openZappingViewer(new SeededRandom(this.options.seed + 1 + index)));
    log(`${staying.length} viewers of ${STREAMS} streams stay, ${slow} of them slow, ${zappers} change streams; ${ENGINES} engines`);
    await this.injectFaults();
    this.over = true;
    await Promise.all(this.recoveries);
    await Promise.all(zapping);
    const failovers = await this.fleet.failovers();
    await Promise.all(staying.map((leave) => leave()));
    const after = await this.fleet.idleResources();
    return {
      faults: this.counts,
      lost: this.lost,
      rejected: this.rejected,
      visits: this.visits,
      violations: this.violations,
      longestSilence: this.longestSilence,
      failovers,
      unaccounted: await this.fleet.unaccounted(),
      before,
      after,
      memory: this.memory,
    };
  }

  /** Opens lasting connections and loads all code before resources are counted. */
  private async warmUp(): Promise<void> {
    const viewers = await Promise.all(Array.from({ length: STREAMS }, (_, index) => Viewer.open(this.urlOf(index), { keep: false })));
    await Promise.all(viewers.map((viewer) => viewer.untilBytes(200_000)));
    await Promise.all(viewers.map((viewer) => viewer.leave()));
  }

  private async injectFaults(): Promise<void> {
    const { faults, log } = this.options;
    for (let number = 1; number <= faults; number += 1) {
      await sleep(this.random.integer(...PAUSE_MS));
      await until('an engine without a fault', async () => this.faulty.size < MAX_FAULTY, 60_000);
      const engine = this.victim();
      const fault = this.random.pick(FAULTS);
      const durationMs = this.random.integer(...FAULT_MS);
      this.counts.set(fault.name, (this.counts.get(fault.name) ?? 0) + 1);
      log(`fault ${number}: engine ${engine.id} ${fault.name} for ${durationMs} ms`);
      this.faulty.add(engine);
      if (fault.unreachable) engine.unreachableTimes += 1;
      await fault.inflict(engine);
      this.recoveries.push(this.recover(engine, durationMs));
      if (number % Math.max(1, Math.floor(faults / MEMORY_SAMPLES)) === 0)
        this.memory.push((await processResourcesOf(this.fleet.proxyUrl)).resident);
    }
  }

  /** An engine without a fault, usually one in use. */
  private victim(): FleetEngine {
    const faultless = (engines: readonly FleetEngine[]): FleetEngine[] => engines.filter((engine) => !this.faulty.has(engine));
    const inUse = faultless(this.fleet.inUse);
    return this.random.next() < IN_USE && inUse.length > 0 ? this.random.pick(inUse) : this.random.pick(faultless(this.fleet.engines));
  }

  private async recover(engine: FleetEngine, afterMs: number): Promise<void> {
    await sleep(afterMs);
    await engine.revive();
    this.faulty.delete(engine);
  }

  /** Opens a viewer that stays. The returned function closes it. */
  private async openStayingViewer(index: number, slow: boolean): Promise<() => Promise<void>> {
    const checker = new ViewerStreamChecker({ fromJoin: true });
    const viewer = await Viewer.open(this.urlOf(index), { keep: false, onChunk: (chunk) => checker.push(chunk) });
    const who = `viewer ${index} of stream ${index % STREAMS}${slow ? ', slow' : ''}`;
    if (viewer.status !== 200) this.rejected.push(`${who}: ${viewer.status} ${await viewer.text()}`);
    let staying = true;
    // One viewer of each stream logs for all: they wait for the same engine.
    const logsSilence = !slow && !this.loggedStreams.has(index % STREAMS);
    if (logsSilence) this.loggedStreams.add(index % STREAMS);
    let logged = false;
    const logSilence = (): void => {
      if (checker.silentFor > LONG_SILENCE_S && !logged) this.options.log(`${who} received no byte for ${LONG_SILENCE_S} s`);
      logged = checker.silentFor > LONG_SILENCE_S;
    };
    const watch = logsSilence ? setInterval(logSilence, 500) : undefined;
    const slowReads = slow ? readSlowly(viewer, SLOW_READ_BYTES, SLOW_READ_MS) : undefined;
    void viewer.closed.then(() => {
      if (staying) this.lost.push(`${who}: ${viewer.error?.message ?? 'the stream ended'}`);
    });
    return async () => {
      staying = false;
      clearInterval(watch);
      clearInterval(slowReads);
      await viewer.leave();
      this.note(who, checker, slow);
    };
  }

  /** A viewer that watches for a moment, leaves, and opens another stream. */
  private async openZappingViewer(random: SeededRandom): Promise<void> {
    while (!this.over) {
      const index = random.integer(0, STREAMS - 1);
      const checker = new ViewerStreamChecker({ fromJoin: true });
      const viewer = await Viewer.open(this.urlOf(index), { keep: false, onChunk: (chunk) => checker.push(chunk) });
      this.visits += 1;
      if (viewer.status !== 200) this.rejected.push(`zapping to stream ${index}: ${viewer.status} ${await viewer.text()}`);
      await sleep(random.integer(0, 1500));
      await viewer.leave();
      this.note(`zapping viewer of stream ${index}`, checker, true);
    }
  }

  private note(who: string, checker: ViewerStreamChecker, pausesItself: boolean): void {
    const { ts, earlyNullPackets, longestSilence } = checker.verdict();
    this.violations.push(...ts.faults.map(({ rule, packet, pid, detail }) => `${who}: ${rule} at packet ${packet}, PID ${pid}: ${detail}`));
    if (pausesItself) return; // the proxy is not the cause of its pauses
    this.violations.push(...earlyNullPackets.map((text) => `${who}: ${text}`));
    this.longestSilence = Math.max(this.longestSilence, longestSilence);
  }

  private urlOf(index: number): string {
    return this.fleet.streamUrl(contentId(0xc0 + (index % STREAMS)));
  }
}
