import type { ProxyReport } from '@acexy/contracts';

/** A proxy that says nothing for this long is taken for gone (wire API, section 5). */
export const SILENCE_MS = 15_000;
/** A proxy without streams that says nothing for this long is forgotten. */
const FORGET_MS = 3_600_000;
/** Boots of a proxy that are over: a report of theirs that arrives late must not bring them back. */
const RETIRED_BOOTS_KEPT = 8;

interface Proxy {
  /** Null for one known from before our own start, until it reports. */
  bootId: string | null;
  seq: number;
  /** Monotonic milliseconds. */
  lastHeard: number;
  silent: boolean;
  sessions: Set<string>;
  retired: string[];
}

export type Heard =
  /** A late report: nothing is to be done with it. */
  | { kind: 'stale'; seq: number }
  /** `dropped` are streams it listed before and lists no more; `rebooted` says that another boot of the proxy had them. */
  | { kind: 'taken'; seq: number; dropped: string[]; rebooted: boolean };

/** Which proxy reported what last, and when: the order of reports, restarts of proxies, and their silence. */
export class ProxyLedger {
  private readonly proxies = new Map<string, Proxy>();

  /** A proxy that had these streams when we last ran. */
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
    if (rebooted) proxy.retired = [...proxy.retired, proxy.bootId as string].slice(-RETIRED_BOOTS_KEPT);
    const listed = new Set(sessions.map((session) => session.stream_id));
    const dropped = [...proxy.sessions].filter((streamId) => !listed.has(streamId));
    Object.assign(proxy, { bootId, seq, lastHeard: now, silent: false, sessions: listed });
    return { kind: 'taken', seq, dropped, rebooted };
  }

  /** Proxies that have just become silent, and the streams they had. */
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

  /** Whether a proxy that is known from before our start has not reported yet. */
  get awaitsAny(): boolean {
    return [...this.proxies.values()].some((proxy) => proxy.bootId === null && !proxy.silent);
  }
}

function newProxy(now: number): Proxy {
  return { bootId: null, seq: -1, lastHeard: now, silent: false, sessions: new Set(), retired: [] };
}
