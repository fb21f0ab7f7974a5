/** Which engines this proxy uses. Needed where no orchestrator keeps count: for a foreign one, for the last known list, and for the fallback engine. */
import { type Clock, sleep } from '@acexy/service-kit/primitives';
import type { ContentNames } from './engine-selector.js';

/** An engine list may still show a stream for this long after its end. */
const REMEMBERED_MS = 60_000;

interface Reservation {
  engineId: string;
  content: ContentNames;
}

export class Reservations {
  private readonly held = new Set<Reservation>();
  /** Own stream ids, and when they may be forgotten; null while they are held. */
  private readonly streams = new Map<string, number | null>();
  private readonly waiters = new Set<() => void>();

  constructor(private readonly clock: Clock) {}

  /** @returns ends the reservation */
  reserve(engineId: string, streamId: string, content: ContentNames): () => void {
    this.forgetOld();
    const reservation = { engineId, content };
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

  /** Own streams that are held, or ended so recently that a list may still show them. */
  get remembered(): number {
    return this.streams.size;
  }

  /** Whether another stream uses the engine for this content, under any known name. */
  hasContent(engineId: string, content: ContentNames): boolean {
    return [...this.held].some((held) => held.engineId === engineId && isSame(held.content, content));
  }

  /** Resolves when a reservation ends, at most after `ms`. */
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

function isSame(a: ContentNames, b: ContentNames): boolean {
  if (a.infohash !== null && a.infohash === b.infohash) return true;
  return a.keyType === b.keyType && a.key === b.key;
}
