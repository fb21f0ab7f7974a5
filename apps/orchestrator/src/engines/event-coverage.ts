import type { EngineInstance, RuntimeEvent } from '../runtime/engine-runtime.js';

/** A busy Docker Engine may send the event of a change this long after its list shows it. */
const EVENT_LAG_MS = 10_000;

/** What a list shows of one engine: whether it has started, died or is gone is a change that has an event. */
type Seen = ReadonlyMap<string, EngineInstance['state']>;

/**
 * Compares the lists of the runtime with its events. When a list shows a change and no event of that engine arrives, the events do not work, and
 * changes are noticed only by the next list. Times are monotonic milliseconds.
 */
export class EventCoverage {
  /** Null when the next list must not be compared with an earlier one. */
  private last: { seen: Seen; at: number } | null = null;
  /** When each event came, for the time of EVENT_LAG_MS. */
  private readonly heardAt = new Map<string, number>();
  /** When a list first showed each change that had no event. */
  private readonly unannounced = new Map<string, number>();
  private missing = false;

  /** Whether changes came without events, and no event since. */
  get eventsMissing(): boolean {
    return this.missing;
  }

  heard(event: RuntimeEvent, now: number): void {
    if (event.type === 'lost') {
      // The subscription was interrupted: changes of that time have no event.
      this.last = null;
      this.unannounced.clear();
    }
    if (!('id' in event)) return;
    this.missing = false;
    this.unannounced.clear();
    this.heardAt.set(changeKey(event.type, event.id), now);
  }

  listed(instances: readonly EngineInstance[], now: number): void {
    const seen = new Map(instances.map(({ id, state }) => [id, state]));
    const { last } = this;
    this.last = { seen, at: now };
    for (const [change, at] of this.heardAt) if (at < (last?.at ?? now) - EVENT_LAG_MS) this.heardAt.delete(change);
    for (const change of last === null ? [] : changesBetween(last.seen, seen))
      if (!this.heardAt.has(change) && !this.unannounced.has(change)) this.unannounced.set(change, now);
    if ([...this.unannounced.values()].some((since) => now - since >= EVENT_LAG_MS)) {
      this.unannounced.clear();
      this.missing = true;
    }
  }
}

/** Every engine that has started, died or gone, in the form of `changeKey`. */
function changesBetween(before: Seen, after: Seen): string[] {
  const started = [...after].filter(([id, state]) => state === 'running' && before.get(id) !== 'running');
  const died = [...after].filter(([id, state]) => state === 'exited' && before.get(id) === 'running');
  const gone = [...before].filter(([id]) => !after.has(id));
  return [
    ...started.map(([id]) => changeKey('started', id)),
    ...died.map(([id]) => changeKey('died', id)),
    ...gone.map(([id]) => changeKey('removed', id)),
  ];
}

function changeKey(type: 'started' | 'died' | 'removed', id: string): string {
  return `${type} ${id}`;
}
