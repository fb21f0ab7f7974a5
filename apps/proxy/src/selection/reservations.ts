/** Which engines this proxy uses, where nobody else keeps count: those of a foreign orchestrator, of a cached list, and the fallback engine. */
import { type Clock, sleep } from '@acexy/service-kit/primitives';
import type { WantedContent } from './engine-selector.js';

/** A list that was made before a stream ended may still show it for so long. */
const REMEMBERED_MS = 60_000;

interface Reservation {
  engineId: string;
  streamId: string;
  content: WantedContent;
}

export class Reservations {
  private readonly held = new Set<Reservation>();
  /** Stream ids of ours → the moment when they may be forgotten; null while they are held. */
  private readonly streams = new Map<string, number | null>();
  private waiters = new Set<() => void>();

  constructor(private readonly clock: Clock) {}

  /** @returns what gives the reservation back */
  reserve(engineId: string, streamId: string, content: WantedContent): () => void {
    this.forgetOld();
    const reservation = { engineId, streamId, content };
    this.held.add(reservation);
    this.streams.set(streamId, null);
    return () => {
      if (!this.held.delete(reservation)) return;
      this.streams.set(streamId, this.clock.now() + REMEMBERED_MS);
      for (const wake of [...this.waiters]) wake();
    };
  }

  count(engineId: string): number {
    return [...this.held].filter((reservation) => reservation.engineId === engineId).length;
  }

  isOurs(streamId: string): boolean {
    this.forgetOld();
    return this.streams.has(streamId);
  }

  /** Streams of ours, held or ended so lately that a list may still show them. */
  get remembered(): number {
    return this.streams.size;
  }

  /** Whether another stream holds the engine for this content, under any name known. */
  hasContent(engineId: string, content: WantedContent): boolean {
    return [...this.held].some((held) => held.engineId === engineId && isSame(held.content, content));
  }

  /** Resolves when a reservation is given back or `ms` have gone by. */
  async change(ms: number, signal: AbortSignal): Promise<void> {
    const woken = new AbortController();
    const wake = (): void => woken.abort(new Error('woken'));
    this.waiters.add(wake);
    try {
      await sleep(this.clock, ms, AbortSignal.any([woken.signal, signal]));
    } catch (error) {
      if (signal.aborted || !woken.signal.aborted) throw error;
    } finally {
      this.waiters.delete(wake);
    }
  }

  private forgetOld(): void {
    const now = this.clock.now();
    for (const [id, until] of this.streams) if (until !== null && until <= now) this.streams.delete(id);
  }
}

function isSame(a: WantedContent, b: WantedContent): boolean {
  if (a.infohash !== null && a.infohash === b.infohash) return true;
  return a.keyType === b.keyType && a.key === b.key;
}
