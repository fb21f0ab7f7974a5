import { docker } from './docker.js';
import { Viewer } from './viewer.js';

/** Longest time without a byte that is no loss: engines deliver in gusts, and HTTP in steps. */
const GUST_S = 2;
/** While there is no picture the proxy sends single null packets, which only keep the connection. */
const PACKET = 188;

interface Watching {
  viewer: Viewer;
  lastByteAt: number;
  /** Every pause between two bytes that was no gust, in seconds. */
  pauses: number[];
}

/** What a bad day cost: those who watch, and the engines of one label as Docker tells of them. */
export class FaultImpact {
  private readonly watching: Watching[] = [];
  private readonly lines: string[] = [];
  private began = performance.now();
  private readonly started = new Set<string>();
  private readonly known = new Set<string>();
  private stream: NodeJS.ReadableStream | null = null;

  private constructor(private readonly what: string) {}

  /** Counts from now on. */
  static async begin(what: string, label: string): Promise<FaultImpact> {
    const day = new FaultImpact(what);
    for (const { Id } of await docker.listContainers({ all: true, filters: { label: [label] } })) day.known.add(Id);
    const stream = await docker.getEvents({ filters: { type: ['container'], event: ['start'], label: [label] } });
    stream.on('data', (chunk: Buffer) => day.take(chunk.toString()));
    day.stream = stream;
    day.began = performance.now();
    return day;
  }

  /** Somebody who watches all day; resolves when the picture is there. */
  async watch(url: string): Promise<Viewer> {
    const watching: Partial<Watching> = { pauses: [], lastByteAt: performance.now() };
    const viewer = await Viewer.open(url, { keep: false, onChunk: ({ length }) => length > PACKET && this.byte(watching as Watching) });
    watching.viewer = viewer;
    this.watching.push(watching as Watching);
    await viewer.untilBytes(500_000);
    return viewer;
  }

  /** Seconds since its beginning, kept for the report. */
  note(what: string): number {
    const seconds = (performance.now() - this.began) / 1000;
    this.lines.push(`${what} ${seconds.toFixed(1)} s`);
    return seconds;
  }

  /** Those whose stream has ended, one way or the other. */
  get lost(): number {
    return this.watching.filter(({ viewer }) => viewer.ended || viewer.error !== null).length;
  }

  /** The longest time that one of them was without bytes, in seconds; what still lasts counts. */
  get longestPause(): number {
    return Math.max(0, ...this.watching.flatMap(({ pauses, lastByteAt, viewer }) => [...pauses, viewer.ended ? 0 : since(lastByteAt)]));
  }

  /** Engines made anew since the beginning. */
  get made(): number {
    return [...this.started].filter((id) => !this.known.has(id)).length;
  }

  /** Engines of before that were started again. */
  get restarted(): number {
    return [...this.started].filter((id) => this.known.has(id)).length;
  }

  /** Prints what was measured, and lets everybody go. */
  async end(): Promise<void> {
    const { lost, longestPause } = this;
    const figures = [
      `viewers lost ${lost} of ${this.watching.length}`,
      `longest without bytes ${longestPause < GUST_S ? '0' : longestPause.toFixed(1)} s`,
      `engines restarted ${this.restarted}, made anew ${this.made}`,
    ];
    console.info(`${this.what}: ${[...figures, ...this.lines].join('; ')}`);
    (this.stream as (NodeJS.ReadableStream & { destroy(): void }) | null)?.destroy();
    await Promise.all(this.watching.map(({ viewer }) => viewer.leave()));
  }

  private byte(watching: Watching): void {
    const pause = since(watching.lastByteAt);
    if (pause >= GUST_S) watching.pauses.push(pause);
    watching.lastByteAt = performance.now();
  }

  /** One event a line. */
  private take(text: string): void {
    for (const line of text.split('\n').filter((part) => part !== '')) this.started.add((JSON.parse(line) as { id: string }).id);
  }
}

function since(at: number): number {
  return (performance.now() - at) / 1000;
}
