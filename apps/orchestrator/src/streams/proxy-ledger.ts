import type { ProxyReport } from '@acexy/contracts';
import { BoundedMap } from '@acexy/service-kit/primitives';

/** A proxy that sends no report for this long is treated as gone. */
export const SILENCE_MS = 15_000;
/** A proxy that sends no report for this long is forgotten. */
const FORGET_MS = 3_600_000;
/** Number of earlier boot ids, and of copies, remembered for each proxy. */
const KNOWN_BOOTS = 8;
/** Time for a copy to report under its new id, before streams that nobody lists any longer end: three reports. */
const MOVE_MS = 6_000;
/** A proxy that was killed has at most one report under way. A second one proves that it still runs. */
const REPORTS_OF_THE_LIVING = 2;

interface Proxy {
  /** Null for a proxy known from before the start, until it reports. */
  bootId: string | null;
  seq: number;
  /** Monotonic milliseconds. */
  lastHeard: number;
  silent: boolean;
  sessions: Set<string>;
  /** Earlier boots, whose late reports are ignored: the highest `seq` of each, and the number of its late reports. */
  retired: BoundedMap<string, { seq: number; late: number }>;
  /** Boots of another proxy that has a copy of this id. */
  copies: BoundedMap<string, true>;
  /** Until then the streams of a copy are kept. */
  moveUntil: number;
}

export type Heard =
  /** A late report, to be ignored. */
  | { kind: 'stale'; seq: number }
  /** From a copy of another proxy, which must take a new id. */
  | { kind: 'copy'; seq: number }
  /**
   * `dropped`: streams that it listed before and no longer lists. `rebooted`: the earlier report was from another boot of the proxy. `copied`: another
   * proxy has the same id; `detected`: with this report it became known.
   */
  | { kind: 'taken'; seq: number; dropped: string[]; rebooted: boolean; copied: boolean; detected: boolean };

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
    if (proxy.copies.has(bootId)) return { kind: 'copy', seq };
    const retired = proxy.retired.get(bootId);
    if (retired && seq > retired.seq) Object.assign(retired, { seq, late: retired.late + 1 });
    const detected = (retired?.late ?? 0) >= REPORTS_OF_THE_LIVING;
    if (retired && !detected) return { kind: 'stale', seq };
    if (sameBoot && seq < proxy.seq) return { kind: 'stale', seq: proxy.seq };
    if (detected) {
      // The boot that seemed to replace this one is another proxy.
      proxy.copies.set(proxy.bootId as string, true);
      proxy.retired.delete(bootId);
      proxy.moveUntil = now + MOVE_MS;
    }
    const rebooted = proxy.bootId !== null && !sameBoot && !detected;
    if (rebooted) proxy.retired.set(proxy.bootId as string, { seq: proxy.seq, late: 0 });
    const listed = new Set(sessions.map((session) => session.stream_id));
    const copied = now < proxy.moveUntil;
    if (copied) for (const streamId of proxy.sessions) listed.add(streamId);
    const dropped = [...proxy.sessions].filter((streamId) => !listed.has(streamId));
    Object.assign(proxy, { bootId, seq, lastHeard: now, silent: false, sessions: listed });
    return { kind: 'taken', seq, dropped, rebooted, copied, detected };
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
  return {
    bootId: null,
    seq: -1,
    lastHeard: now,
    silent: false,
    sessions: new Set(),
    retired: new BoundedMap(KNOWN_BOOTS),
    copies: new BoundedMap(KNOWN_BOOTS),
    moveUntil: -Infinity,
  };
}
