/** Reads the progress reports of an image pull. Pure. */
import { isObject, type JsonObject, parseObject, snippet, toText } from '@acexy/service-kit/primitives';

/** How much of a layer is local after a report without sizes. Other texts, such as "Already exists", are not about a layer that is pulled. */
const LOCAL_PARTS: ReadonlyMap<unknown, 0 | 1> = new Map([
  ['Pulling fs layer', 0],
  ['Waiting', 0],
  ['Verifying Checksum', 1],
  ['Download complete', 1],
  ['Extracting', 1],
  ['Pull complete', 1],
]);

export class PullProgress {
  /** How much of each layer is local, from 0 to 1. Layers that were local before do not count: they would show 100 percent too early. */
  private readonly layers = new Map<unknown, number>();
  private highest = 0;
  private last: string | null = null;
  private reason: string | null = null;

  /** @param line one line of Docker's reply; an unknown line is ignored */
  take(line: string): void {
    const report = parseObject(line);
    if (report === null) return;
    this.reason ??= failureOf(report);
    this.last = toText(report.status) ?? this.last;
    const part = localPart(report);
    if (part !== null && toText(report.id) !== null) this.layers.set(report.id, part);
    const local = [...this.layers.values()].reduce((sum, each) => sum + each, 0);
    if (this.layers.size > 0) this.highest = Math.max(this.highest, Math.floor((100 * local) / this.layers.size));
  }

  /** Never decreases, 0 to 100. Every layer counts the same, whatever its size: Docker names all layers first, and their sizes one by one. */
  get percent(): number {
    return this.highest;
  }

  /** Why the pull failed; null while no report says so. */
  get failure(): string | null {
    return this.reason;
  }

  /** The last text of Docker; null when it sent none. */
  get lastStatus(): string | null {
    return this.last;
  }
}

function localPart({ status, progressDetail }: JsonObject): number | null {
  if (status !== 'Downloading') return LOCAL_PARTS.get(status) ?? null;
  const { current, total } = isObject(progressDetail) ? progressDetail : {};
  if (typeof current !== 'number' || typeof total !== 'number' || total <= 0) return 0;
  return Math.min(1, Math.max(0, current / total));
}

/** Older Docker Engines send `error` beside `errorDetail`, newer ones may send `errorDetail` alone. */
function failureOf({ error, errorDetail }: JsonObject): string | null {
  for (const detail of [errorDetail, error]) {
    const text = isObject(detail) ? toText(detail.message) : toText(detail);
    if (text !== null) return text;
  }
  return errorDetail === undefined || errorDetail === null ? null : `Docker reports ${snippet(JSON.stringify(errorDetail))}`;
}
