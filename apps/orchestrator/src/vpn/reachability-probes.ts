import { EngineClient, EngineError } from '@acexy/engine-client';
import type { Engine } from '../engines/engine.js';
import type { NetworkOwner } from '../runtime/engine-runtime.js';
import type { ReachabilityProbes } from './tunnel.policy.js';

/** An engine that has just booted may not have found the Internet yet. */
const MATURE_MS = 5_000;
/** Engines asked at the same time. */
const CONCURRENT = 16;
/** So many looks in a row, and an engine alone is believed to have no network. */
const LOOKS = 2;

type Word = 'connected' | 'cut-off' | 'silent';

interface Testimony {
  /** Looks in a row that were no "connected". */
  against: number;
  /** Monotonic milliseconds of the first of them; null while it is connected. */
  since: number | null;
}

/** Where an engine's network comes from: `present` is that of the running container. */
export type NetworkOfEngine = 'present' | 'earlier-life' | 'other-container' | 'unknown';

/**
 * Whose network an engine lives in. One that was started before the container it shares has kept nothing but its own loopback; one of
 * another container's id can never get back.
 */
export function networkOf({ instance }: Pick<Engine, 'instance'>, owner: NetworkOwner | null | undefined): NetworkOfEngine {
  const { network } = instance;
  if (owner === undefined || network === undefined) return owner === undefined && network === undefined ? 'present' : 'unknown';
  if (owner === null || network.ownerId !== owner.id) return 'other-container';
  if (network.startedAt === null) return 'unknown';
  return network.startedAt >= owner.startedAt ? 'present' : 'earlier-life';
}

/** What engines themselves say of their network (`get_network_connection_status`). */
export class ReachabilityProber {
  private readonly book = new Map<string, Testimony>();

  constructor(private readonly timeoutMs: number) {}

  /** Asks all of them; `now` is monotonic milliseconds. */
  async ask(engines: readonly Engine[], now: number, signal: AbortSignal): Promise<ReachabilityProbes> {
    const witnesses: ReachabilityProbes = { connected: 0, cutOff: 0 };
    const queue = engines[Symbol.iterator]();
    const worker = async (): Promise<void> => {
      for (const engine of queue) {
        const word = await this.wordOf(engine, signal);
        if (word === 'connected') {
          this.book.set(engine.id, { against: 0, since: null });
          witnesses.connected++;
        } else if (now - engine.lifecycleSince >= MATURE_MS || engine.lifecycle === 'draining') {
          const { against, since } = this.book.get(engine.id) ?? { against: 0, since: null };
          this.book.set(engine.id, { against: against + 1, since: since ?? now });
          witnesses.cutOff++;
        }
      }
    };
    await Promise.all(Array.from({ length: CONCURRENT }, worker));
    return witnesses;
  }

  /** Since when the engine alone has had no network, monotonic milliseconds; null where it has, or where that is not certain yet. */
  cutOffSince(engineId: string): number | null {
    const testimony = this.book.get(engineId);
    return testimony && testimony.against >= LOOKS ? testimony.since : null;
  }

  /** It was started anew: what was said of its earlier life counts no more. */
  forget(engineId: string): void {
    this.book.delete(engineId);
  }

  keepOnly(known: ReadonlySet<string>): void {
    for (const id of this.book.keys()) if (!known.has(id)) this.book.delete(id);
  }

  private async wordOf({ instance: { host, port } }: Engine, signal: AbortSignal): Promise<Word> {
    try {
      const connected = await new EngineClient({ host, port }, { timeoutMs: this.timeoutMs }).getNetworkConnectionStatus(signal);
      return connected ? 'connected' : 'cut-off';
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      return 'silent';
    }
  }
}
