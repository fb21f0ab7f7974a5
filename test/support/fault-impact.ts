import { docker } from './docker.js';
import { Viewer } from './viewer.js';

/** A shorter time without a byte is no pause: engines deliver in bursts, and HTTP in chunks. */
const BURST_S = 2;
/** While the proxy waits for the engine it sends single null packets, which only keep the connection open. */
const PACKET = 188;

interface Watching {
  viewer: Viewer;
  lastByteAt: number;
  /** Every pause longer than the burst interval, in seconds. */
  pauses: number[];
}

/** Measures what a fault costs: pauses and losses of viewers, and engines that Docker started, selected by label. */
export class FaultImpact {
  private readonly watching: Watching[] = [];
  private readonly lines: string[] = [];
  private startedAt = performance.now();
  private readonly started = new Set<string>();
  private readonly known = new Set<string>();
  private stream: NodeJS.ReadableStream | null = null;

  private constructor(private readonly what: string) {}

  /** Starts to measure. */
  static async start(what: string, label: string): Promise<FaultImpact> {
    const impact = new FaultImpact(what);
    for (const { Id } of await docker.listContainers({ all: true, filters: { label: [label] } })) impact.known.add(Id);
    const stream = await docker.getEvents({ filters: { type: ['container'], event: ['start'], label: [label] } });
    stream.on('data', (chunk: Buffer) => impact.take(chunk.toString()));
    impact.stream = stream;
    impact.startedAt = performance.now();
    return impact;
  }

  /** Opens a viewer that watches until the end; resolves when media have arrived. */
  async watch(url: string): Promise<Viewer> {
    const watching: Partial<Watching> = { pauses: [], lastByteAt: performance.now() };
    const viewer = await Viewer.open(url, { keep: false, onChunk: ({ length }) => length > PACKET && this.byte(watching as Watching) });
    watching.viewer = viewer;
    this.watching.push(watching as Watching);
    await viewer.untilBytes(500_000);
    return viewer;
  }

  /** Records the seconds since the start for the report, and returns them. */
  note(what: string): number {
    const seconds = (performance.now() - this.startedAt) / 1000;
    this.lines.push(`${what} ${seconds.toFixed(1)} s`);
    return seconds;
  }

  /** Number of viewers whose stream ended or failed. */
  get lost(): number {
    return this.watching.filter(({ viewer }) => viewer.ended || viewer.error !== null).length;
  }

  /** The longest pause of a viewer in seconds. A pause that has not ended counts too. */
  get longestPause(): number {
    return Math.max(0, ...this.watching.flatMap(({ pauses, lastByteAt, viewer }) => [...pauses, viewer.ended ? 0 : since(lastByteAt)]));
  }

  /** Number of new engines since the start. */
  get created(): number {
    return [...this.started].filter((id) => !this.known.has(id)).length;
  }

  /** Number of engines that existed at the start and were restarted. */
  get restarted(): number {
    return [...this.started].filter((id) => this.known.has(id)).length;
  }

  /** Prints the figures and closes all viewers. */
  async end(): Promise<void> {
    const { lost, longestPause } = this;
    const figures = [
      `${lost} of ${this.watching.length} viewers lost`,
      `longest pause ${longestPause < BURST_S ? '0' : longestPause.toFixed(1)} s`,
      `engines restarted ${this.restarted}, created ${this.created}`,
    ];
    console.info(`${this.what}: ${[...figures, ...this.lines].join('; ')}`);
    (this.stream as (NodeJS.ReadableStream & { destroy(): void }) | null)?.destroy();
    await Promise.all(this.watching.map(({ viewer }) => viewer.leave()));
  }

  private byte(watching: Watching): void {
    const pause = since(watching.lastByteAt);
    if (pause >= BURST_S) watching.pauses.push(pause);
    watching.lastByteAt = performance.now();
  }

  /** Takes events of Docker, one in each line. */
  private take(text: string): void {
    for (const line of text.split('\n').filter((part) => part !== ''))
      this.started.add((JSON.parse(line) as { Actor: { ID: string } }).Actor.ID);
  }
}

function since(at: number): number {
  return (performance.now() - at) / 1000;
}
