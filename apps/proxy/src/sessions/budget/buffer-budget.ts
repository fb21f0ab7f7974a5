/** Keeps the buffers of all streams within the memory for them, and the number of stalled viewers within what is left. */
import { type Clock, OneShotTimer } from '@acexy/service-kit/primitives';
import type { Log } from '@acexy/service-kit';
import type { Broadcast } from '../../broadcast/broadcast.js';
import { MemoryFullError } from '../errors.js';
import {
  type HlsNeed,
  NEW_STREAM,
  type StreamFacts,
  type StreamLimits,
  demandsOf,
  divide,
  floorOf,
  ringLimit,
} from './buffer-budget.policy.js';
import type { MemoryPlan } from './memory-plan.js';

/** Limits follow bit rates and viewers in this interval (ms). */
const INTERVAL_MS = 1000;
/** Milliseconds of media after which the bit rate of a stream counts: a single large picture decides that of its first moments. */
const MEASURED_MS = 1000;
/** A viewer whose write is unfinished for this long (ms) counts as stalled. */
const STALLED_MS = 1000;

/** A stream, as far as its memory depends on it. */
export interface BudgetedStream {
  readonly id: string;
  readonly viewerCount: number;
}

/** A connection with an unfinished write. */
export interface OpenWrite {
  readonly writingMs: number;
  leave(reason: 'too-slow'): void;
}

/** HLS segments of a stream. Its newest bytes are those of the ring. */
export interface HlsBuffer extends HlsNeed {
  readonly bytes: number;
  /** Downloads of segments of which the client has taken nothing for `ms` milliseconds. */
  downloadsStalledFor(ms: number): OpenWrite[];
  set maxBytes(limit: number);
}

interface Entry {
  readonly stream: BudgetedStream;
  readonly broadcast: Broadcast;
  keyframeMs: number | null;
  hls: HlsBuffer | null;
}

export class BufferBudget {
  private readonly entries = new Map<string, Entry>();
  private readonly timer: OneShotTimer;
  private short = false;

  constructor(
    readonly plan: MemoryPlan,
    private readonly limits: StreamLimits,
    clock: Clock,
    private readonly log: Log,
  ) {
    this.timer = new OneShotTimer(clock, () => this.round());
    const { bufferBytes: budget_bytes, neededBytes: needed_bytes, memoryBytes: memory_bytes } = plan;
    if (needed_bytes > memory_bytes) log.warn('memory limit is too small', { memory_bytes, needed_bytes, budget_bytes });
  }

  /** Bytes that buffers use now. */
  get usedBytes(): number {
    const perStream = [...this.entries.values()].map(({ broadcast, hls }) => Math.max(broadcast.bufferedBytes, hls?.bytes ?? 0));
    return perStream.reduce((sum, bytes) => sum + bytes + this.limits.chunkBytes, 0);
  }

  /** Whether the buffers of another stream fit. `starting`: streams that have no buffer yet. The first stream always fits. */
  fits(starting: number): boolean {
    if (this.entries.size + starting === 0) return true;
    const starts = Array.from({ length: starting + 1 }, () => NEW_STREAM);
    return this.areEnough([...this.facts(), ...starts]);
  }

  /** The stream plays: from now on its buffer counts, until its last viewer has left. */
  add(stream: BudgetedStream, broadcast: Broadcast): void {
    this.entries.set(stream.id, { stream, broadcast, keyframeMs: null, hls: null });
    this.apply();
    this.timer.set(INTERVAL_MS);
  }

  /** A stream has ended: others get its memory as soon as its last viewer has left. */
  forgetDrained(): void {
    for (const [id, { broadcast }] of this.entries) if (broadcast.isDrained) this.entries.delete(id);
    if (this.entries.size === 0) this.timer.clear();
  }

  /** The stream also has HLS segments, until the returned function is called. @throws MemoryFullError */
  addHls(streamId: string, hls: HlsBuffer): () => void {
    const entry = this.entries.get(streamId);
    if (entry === undefined) return () => undefined; // the stream has just ended
    entry.hls = hls;
    if (!this.areEnough(this.facts())) {
      entry.hls = null;
      throw this.full('HLS segments');
    }
    this.apply();
    return () => {
      if (entry.hls === hls) entry.hls = null;
    };
  }

  full(what: string): MemoryFullError {
    return new MemoryFullError(what, this.entries.size, this.plan.bufferBytes);
  }

  private areEnough(facts: readonly StreamFacts[]): boolean {
    return floorOf(demandsOf(facts, this.limits)) <= this.plan.bufferBytes;
  }

  private round(): void {
    try {
      this.forgetDrained();
      this.apply();
      this.disconnectStalled();
    } catch (error) {
      this.log.error('buffer limits not updated', { error });
    }
    if (this.entries.size > 0) this.timer.set(INTERVAL_MS);
  }

  private apply(): void {
    const demands = demandsOf(this.facts(), this.limits);
    const { shares, short } = divide(this.plan.bufferBytes, demands);
    for (const [index, { broadcast, hls }] of [...this.entries.values()].entries()) {
      broadcast.maxBytes = ringLimit(shares[index], short, this.limits);
      if (hls !== null) hls.maxBytes = Math.floor(Math.min(hls.mostBytes, shares[index]));
    }
    if (short && !this.short)
      this.log.warn('memory for buffers is short', {
        streams: shares.length,
        needed_bytes: Math.round(floorOf(demands)),
        budget_bytes: this.plan.bufferBytes,
      });
    this.short = short;
  }

  /** Those that have stalled longest are disconnected, so that the others fit into the memory. */
  private disconnectStalled(): void {
    const stalled = [...this.entries.values()].flatMap<OpenWrite>(({ broadcast, hls }) => [
      ...broadcast.viewersStalledFor(STALLED_MS),
      ...(hls?.downloadsStalledFor(STALLED_MS) ?? []),
    ]);
    const excess = stalled.length - this.plan.maxStalledViewers;
    if (excess <= 0) return;
    this.log.warn('stalled viewers disconnected', { viewers: excess, limit: this.plan.maxStalledViewers, reason: 'memory' });
    stalled.sort((one, other) => other.writingMs - one.writingMs);
    for (const viewer of stalled.slice(0, excess)) viewer.leave('too-slow');
  }

  private facts(): StreamFacts[] {
    return [...this.entries.values()].map((entry) => {
      const { stream, broadcast, hls } = entry;
      // Of a ring with one keyframe only the time since it is known.
      entry.keyframeMs = Math.max(entry.keyframeMs ?? 0, broadcast.keyframeMs ?? 0) || null;
      return {
        bitrate: broadcast.bufferedMs >= MEASURED_MS ? broadcast.bitrate : null,
        viewers: stream.viewerCount,
        keyframeMs: entry.keyframeMs,
        hls,
        leftBytes: broadcast.ended ? broadcast.bufferedBytes : null,
      };
    });
  }
}
