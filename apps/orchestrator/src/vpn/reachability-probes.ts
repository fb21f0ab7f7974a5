import { EngineClient, EngineError } from '@acexy/engine-client';
import { forEachConcurrently } from '@acexy/service-kit/primitives';
import type { Engine } from '../engines/engine.js';
import type { NetworkOwner } from '../runtime/engine-runtime.js';
import type { ReachabilityProbes } from './tunnel.policy.js';

/** A younger engine may not have found the Internet yet. */
const MIN_AGE_MS = 5_000;
/** Engines probed at the same time. */
const CONCURRENCY = 16;
/** Failed probes in a row after which a single engine counts as having no network. */
const MIN_FAILURES = 2;

interface ProbeFailures {
  /** Failed probes in a row. */
  failures: number;
  /** Time of the first of them, monotonic milliseconds; null while the engine is connected. */
  since: number | null;
}

/** Where an engine's network comes from. `present`: from the running container; `earlier-generation`: from the same one before its restart. */
export type NetworkOfEngine = 'present' | 'earlier-generation' | 'other-container' | 'unknown';

/**
 * An engine that started before its container was restarted has only its loopback left. One that refers to the id of another container can never
 * get its network back.
 */
export function networkOf({ instance }: Pick<Engine, 'instance'>, owner: NetworkOwner | null | undefined): NetworkOfEngine {
  const { network } = instance;
  // Engines that are processes have no network of their own.
  if (owner === undefined && network === undefined) return 'present';
  if (owner === undefined || network === undefined) return 'unknown';
  if (owner === null || network.ownerId !== owner.id) return 'other-container';
  if (network.startedAt === null) return 'unknown';
  return network.startedAt >= owner.startedAt ? 'present' : 'earlier-generation';
}

/** Asks engines whether they reach the Internet (`get_network_connection_status`). */
export class ReachabilityProber {
  private readonly results = new Map<string, ProbeFailures>();

  constructor(private readonly timeoutMs: number) {}

  /** Probes all engines; `now` is monotonic milliseconds. */
  async ask(engines: readonly Engine[], now: number, signal: AbortSignal): Promise<ReachabilityProbes> {
    const probes: ReachabilityProbes = { connected: 0, cutOff: 0 };
    await forEachConcurrently(engines, CONCURRENCY, async (engine) => {
      if (await this.isConnected(engine, signal)) {
        this.results.set(engine.id, { failures: 0, since: null });
        probes.connected++;
      } else if (now - engine.lifecycleSince >= MIN_AGE_MS || engine.lifecycle === 'draining') {
        const { failures, since } = this.results.get(engine.id) ?? { failures: 0, since: null };
        this.results.set(engine.id, { failures: failures + 1, since: since ?? now });
        probes.cutOff++;
      }
    });
    return probes;
  }

  /** Time since which only this engine has had no network, monotonic milliseconds; null if it has one, or if that is not certain yet. */
  cutOffSince(engineId: string): number | null {
    const result = this.results.get(engineId);
    return result && result.failures >= MIN_FAILURES ? result.since : null;
  }

  /** Discards earlier results, for example after a restart of the engine. */
  reset(engineId: string): void {
    this.results.delete(engineId);
  }

  keepOnly(known: ReadonlySet<string>): void {
    for (const id of this.results.keys()) if (!known.has(id)) this.results.delete(id);
  }

  private async isConnected({ instance: { host, port } }: Engine, signal: AbortSignal): Promise<boolean> {
    try {
      return await new EngineClient({ host, port }, { timeoutMs: this.timeoutMs }).getNetworkConnectionStatus(signal);
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      return false;
    }
  }
}
