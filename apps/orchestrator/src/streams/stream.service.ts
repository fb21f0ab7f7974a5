import { counterOf, Log, readGauge } from '@acexy/service-kit';
import { Clock } from '@acexy/service-kit/primitives';
import type { StreamState } from '@acexy/contracts';
import { Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { StreamHistory } from '../database/stream-history.js';
import type { Engine } from '../engines/engine.js';
import { EngineRegistry } from '../engines/engine-registry.js';
import { EngineSync } from '../engines/engine-sync.service.js';
import { ContentKeys } from '../leases/content-keys.js';
import { EngineClaimBook } from '../leases/engine-claims.js';
import { findEngine } from './engine-finder.js';
import { StreamBook, type StreamChange, type TrackedStream } from './stream-book.js';
import { StreamSaver } from './stream-saver.js';
import { fromRow, toStreamState } from './stream-shapes.js';

/** Streams of earlier runs that are loaded at start. */
const HISTORY_LOADED = 1000;
const ENGINE_GONE = 'its engine is gone';

export interface StreamFilter {
  status?: 'started' | 'ended';
  containerId?: string;
}

/** Which streams play on which engine. Reads are answered from memory; changes are saved to the database in the background. */
@Injectable()
export class StreamService implements OnModuleInit, OnModuleDestroy {
  private readonly book = new StreamBook();
  private readonly startedTotal = counterOf('orch_events_started_total', 'Started streams');
  private readonly endedTotal = counterOf('orch_events_ended_total', 'Ended streams');
  private readonly saver: StreamSaver;
  private readonly log: Log;
  private restoring: Promise<void> | undefined;
  private unsubscribe: (() => void) | undefined;

  constructor(
    private readonly registry: EngineRegistry,
    private readonly claims: EngineClaimBook,
    private readonly contents: ContentKeys,
    private readonly history: StreamHistory,
    private readonly sync: EngineSync,
    private readonly clock: Clock,
    log: Log,
  ) {
    this.log = log.child('streams');
    this.saver = new StreamSaver(history, this.log);
    readGauge('orch_streams_active', 'Playing streams', [], (set) => set(this.book.activeCount));
  }

  async onModuleInit(): Promise<void> {
    await this.restored();
    this.unsubscribe = this.registry.onChange(({ type, engine, restartedSince }) => {
      if (type === 'added') this.active().forEach((stream) => stream.containerId === engine.id && this.assign(stream));
      else if (type === 'gone') this.engineGone(engine.id, restartedSince);
    });
    if (this.activeCount > 0) this.log.info('streams of the last run loaded', { streams: this.activeCount });
    const since = this.clock.wallTime();
    void this.sync.firstSync.then(() => this.matchWithEngines(since));
  }

  onModuleDestroy(): void {
    this.unsubscribe?.();
  }

  /** Resolves when the streams of earlier runs are loaded. */
  restored(): Promise<void> {
    return (this.restoring ??= this.restore());
  }

  get activeCount(): number {
    return this.book.activeCount;
  }

  /** Playing and ended streams in memory. */
  get totalCount(): number {
    return this.book.size;
  }

  list({ status, containerId }: StreamFilter): StreamState[] {
    return this.book
      .all()
      .filter((stream) => status === undefined || (stream.endedAt === null) === (status === 'started'))
      .filter((stream) => containerId === undefined || stream.containerId === containerId)
      .map(toStreamState);
  }

  get(id: string): TrackedStream | undefined {
    return this.book.get(id);
  }

  /** Newest first. */
  all(): TrackedStream[] {
    return this.book.all();
  }

  active(): TrackedStream[] {
    return this.book.active();
  }

  /** Adds or updates a stream. @returns the stream as it is known now */
  put(stream: TrackedStream): TrackedStream {
    this.apply(this.book.put(stream));
    return this.book.get(stream.id) ?? stream;
  }

  /** @param at wall time in milliseconds @returns false for a stream that is not playing */
  end(id: string, reason: string, at = this.clock.wallTime()): boolean {
    const change = this.book.end(id, reason, at);
    this.apply(change);
    return change !== null;
  }

  /** Assigns the stream to its engine, if that engine is known. */
  assign({ id, containerId, keyType, key, infohash, leaseId }: TrackedStream): void {
    if (!this.registry.get(containerId)) return this.claims.unassign(id);
    this.claims.assign({ streamId: id, engineId: containerId, keys: this.contents.of({ keyType, key, infohash }), leaseId });
  }

  /**
   * Resolves when a kill of this process would not lose the stream's current state.
   * @throws what the database throws; calling it again retries
   */
  durable(stream: TrackedStream): Promise<void> {
    return this.saver.durable(stream);
  }

  /** @throws what the database throws */
  saveWhereStale(): Promise<void> {
    return this.saver.saveWhereStale((id) => this.book.get(id), this.clock.wallTime());
  }

  /** Ends streams reported by events whose engine is unknown: if their end event was lost, no other signal would end them. */
  endUnverifiable(startedBefore: number): void {
    for (const { id, proxyId, containerId, startedAt } of this.active())
      if (proxyId === null && startedAt < startedBefore && !this.registry.get(containerId))
        this.end(id, 'no event for a day, and its engine is unknown');
  }

  /** @param before wall time in milliseconds */
  forgetEnded(before: number): void {
    this.book.forgetEnded(before);
  }

  private async restore(): Promise<void> {
    this.book.restore((await this.history.loadRecent(HISTORY_LOADED)).reverse().map(fromRow));
    this.book.restore((await this.history.loadOpen()).map(fromRow));
  }

  private apply(change: StreamChange | null): void {
    if (!change) return;
    const { type, stream } = change;
    switch (type) {
      case 'started':
        this.startedTotal.inc();
        this.assign(stream);
        break;
      case 'moved':
      case 'updated':
        this.assign(stream);
        break;
      case 'ended':
        this.endedTotal.inc();
        this.claims.unassign(stream.id);
        break;
      default:
        throw new TypeError(`unknown change ${String(type satisfies never)}`);
    }
    this.log[type === 'updated' ? 'debug' : 'info'](`stream ${type}`, {
      stream_id: stream.id,
      engine_id: stream.containerId,
      proxy_id: stream.proxyId ?? undefined,
      reason: stream.endReason ?? undefined,
    });
    this.saver.save(stream);
  }

  /**
   * Ends only streams reported by events: a proxy that sends reports moves its streams to another engine. A stream that may have started after the
   * engine's restart stays.
   */
  private engineGone(engineId: string, restartedSince = Infinity): void {
    for (const { id, containerId, proxyId, startedAt } of this.active())
      if (containerId === engineId && proxyId === null && startedAt < restartedSince) this.end(id, ENGINE_GONE);
  }

  /** After the first list of engines: ends streams reported by events whose engine disappeared while the orchestrator was down. */
  private matchWithEngines(startOfRun: number): void {
    for (const stream of this.active()) {
      if (stream.proxyId !== null || this.registry.get(stream.containerId)) continue;
      const engine = stream.startedAt < startOfRun ? null : this.engineAt(stream.statUrl);
      if (engine) this.put({ ...stream, containerId: engine.id });
      else this.end(stream.id, ENGINE_GONE);
    }
  }

  private engineAt(url: string): Engine | null {
    if (!URL.canParse(url)) return null;
    const { hostname: host, port } = new URL(url);
    return findEngine(this.registry.all(), { host, port: Number(port) });
  }
}
