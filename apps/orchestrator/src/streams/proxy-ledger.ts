import type { ProxyReport } from '@acexy/contracts';

/** A proxy that sends no report for this long is treated as gone. */
export const SILENCE_MS = 15_000;
/** A proxy that sends no report for this long is forgotten. */
const FORGET_MS = 3_600_000;
/** Number of earlier boot ids remembered for each proxy: a late report of an earlier boot is ignored. */
const RETIRED_BOOTS = 8;

interface Proxy {
  /** Null for a proxy known from before the start, until it reports. */
  bootId: string | null;
  seq: number;
  /** Monotonic milliseconds. */
  lastHeard: number;
  silent: boolean;
  sessions: Set<string>;
  retired: string[];
}

export type Heard =
  /** A late report, to be ignored. */
  | { kind: 'stale'; seq: number }
  /** `dropped`: streams that it listed before and no longer lists. `rebooted`: the earlier report was from another boot of the proxy. */
  | { kind: 'taken'; seq: number; dropped: string[]; rebooted: boolean };

/** The last report of each proxy: detects late reports, restarts and silence. */
export class ProxyLedger {
  private readonly proxies = new Map<string, Proxy>();

  /** Adds a stream that a proxy had in the last run of the orchestrator. */
  expect(proxyId: string, streamId: string, now: number): void {
    const proxy = this.proxies.get(proxyId) ?? newProxy(now);
    proxy.sessions.add(streamId);
    this.proxies.set(proxyId, proxy);
  }

  hear(proxyId: string, { boot_id: bootId, seq, sessions }: ProxyReport, now: number): Heard {
    const proxy = this.proxies.get(proxyId) ?? newProxy(now);
    this.proxies.set(proxyId, proxy);
    const sameBoot = proxy.bootId === bootId;
    if (proxy.retired.includes(bootId)) return { kind: 'stale', seq };
    if (sameBoot && seq < proxy.seq) return { kind: 'stale', seq: proxy.seq };
    const rebooted = proxy.bootId !== null && !sameBoot;
    if (rebooted) proxy.retired = [...proxy.retired, proxy.bootId as string].slice(-RETIRED_BOOTS);
    const listed = new Set(sessions.map((session) => session.stream_id));
    const dropped = [...proxy.sessions].filter((streamId) => !listed.has(streamId));
    Object.assign(proxy, { bootId, seq, lastHeard: now, silent: false, sessions: listed });
    return { kind: 'taken', seq, dropped, rebooted };
  }

  /** Proxies that have become silent since the last call, and their streams. */
  fallenSilent(now: number): { proxyId: string; sessions: string[] }[] {
    const fallen: { proxyId: string; sessions: string[] }[] = [];
    for (const [proxyId, proxy] of this.proxies) {
      if (now - proxy.lastHeard >= FORGET_MS) this.proxies.delete(proxyId);
      if (proxy.silent || now - proxy.lastHeard < SILENCE_MS) continue;
      proxy.silent = true;
      fallen.push({ proxyId, sessions: [...proxy.sessions] });
      proxy.sessions = new Set();
    }
    return fallen;
  }

  /** Whether a proxy that is known from before the start has not reported yet. */
  get awaitsAny(): boolean {
    return [...this.proxies.values()].some((proxy) => proxy.bootId === null && !proxy.silent);
  }
}

function newProxy(now: number): Proxy {
  return { bootId: null, seq: -1, lastHeard: now, silent: false, sessions: new Set(), retired: [] };
}
