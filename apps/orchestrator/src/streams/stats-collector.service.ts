import { EngineError, type PlaybackStat } from '@acexy/engine-client';
import { counterOf, Log } from '@acexy/service-kit';
import { Clock, forEachConcurrently, WakeableLoop } from '@acexy/service-kit/primitives';
import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { StatHistory } from '../database/stat-history.js';
import type { StreamStatRow } from '../database/stream-stat-row.entity.js';
import { EngineRegistry } from '../engines/engine-registry.js';
import { StatisticsSettings } from './statistics-settings.js';
import { hasStat, saysGone, SessionStat } from './session-stat.js';
import { StatBook, type StatSample } from './stat-book.js';
import type { TrackedStream } from './stream-book.js';
import { StreamService } from './stream.service.js';

/** Maximum simultaneous polls: an engine that hangs occupies only one of them, until its timeout. */
const CONCURRENT_POLLS = 16;
/** During a failover a session may be unknown for a moment; after this many polls in a row it is gone. */
const GONE_AFTER = 2;
/** How long the statistics of a stream are kept after its end. */
const KEPT_AFTER_END_MS = 3_600_000;

/** Polls the statistics of every playing stream from its engine every COLLECT_INTERVAL_S. */
@Injectable()
export class StatsCollector implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly book: StatBook;
  private readonly loop: WakeableLoop;
  private readonly log: Log;
  /** Polls in a row in which the engine did not know the session, by stream id. */
  private readonly unknown = new Map<string, number>();
  /** Round of the last poll, by stream id. A round that has no time for all streams is followed by one that starts with the others. */
  private readonly polled = new Map<string, number>();
  private rounds = 0;
  private readonly errors = counterOf('orch_collect_errors_total', 'Failed polls of stream statistics');

  constructor(
    private readonly streams: StreamService,
    private readonly registry: EngineRegistry,
    private readonly history: StatHistory,
    private readonly stat: SessionStat,
    private readonly settings: StatisticsSettings,
    private readonly clock: Clock,
    log: Log,
  ) {
    this.log = log.child('collector');
    this.book = new StatBook(settings.statsHistoryMax);
    this.loop = new WakeableLoop({
      name: 'stats collector',
      intervalMs: settings.collectIntervalMs,
      gapMs: settings.collectIntervalMs,
      round: (signal) => this.round(signal),
      log: this.log,
    });
  }

  async onApplicationBootstrap(): Promise<void> {
    for (const id of await this.history.streamIds()) {
      if (!this.isKept(id)) continue;
      this.book.restore(id, (await this.history.load(id, this.settings.statsHistoryMax)).map(fromRow));
    }
    this.loop.start();
  }

  async onModuleDestroy(): Promise<void> {
    await this.loop.stop();
  }

  /** @param from wall time in milliseconds @returns samples that are not older, oldest first */
  since(streamId: string, from?: number): StatSample[] {
    return this.book.since(streamId, from);
  }

  /** Deletes statistics beyond STATS_HISTORY_MAX and of streams that ended long ago, in the database too. @returns number of deleted rows */
  async prune(): Promise<number> {
    for (const id of this.book.streamIds()) if (!this.isKept(id)) this.book.forget(id);
    let rows = 0;
    for (const id of await this.history.streamIds()) {
      if (!this.book.has(id) && this.isKept(id)) continue;
      rows += await this.history.delete(id, this.book.oldest(id) ?? undefined);
    }
    return rows;
  }

  private isKept(streamId: string): boolean {
    const stream = this.streams.get(streamId);
    return stream !== undefined && (stream.endedAt === null || this.clock.wallTime() - stream.endedAt < KEPT_AFTER_END_MS);
  }

  private async round(signal: AbortSignal): Promise<void> {
    this.rounds++;
    const due = this.due();
    this.forgetOthers(due);
    const endAt = this.clock.now() + this.settings.collectIntervalMs;
    const rows: StreamStatRow[] = [];
    await forEachConcurrently(due, CONCURRENT_POLLS, async (stream) => {
      if (signal.aborted || this.clock.now() >= endAt) return;
      const sample = await this.poll(stream, signal);
      if (sample) rows.push({ streamId: stream.id, ...sample });
    });
    await this.history.append(rows);
  }

  /** Streams whose engine can be polled, longest not polled first. */
  private due(): TrackedStream[] {
    const lastPolled = ({ id }: TrackedStream): number => this.polled.get(id) ?? 0;
    return this.streams
      .active()
      .filter((stream) => hasStat(stream) && this.registry.get(stream.containerId) !== undefined)
      .sort((a, b) => lastPolled(a) - lastPolled(b));
  }

  private forgetOthers(due: readonly TrackedStream[]): void {
    const ids = new Set(due.map(({ id }) => id));
    for (const known of [this.polled, this.unknown]) for (const id of known.keys()) if (!ids.has(id)) known.delete(id);
  }

  private async poll(stream: TrackedStream, signal: AbortSignal): Promise<StatSample | null> {
    this.polled.set(stream.id, this.rounds);
    const engine = this.registry.get(stream.containerId);
    if (!engine) return null;
    try {
      const sample = toSample(await this.stat.ask(engine, stream, signal), this.clock.wallTime());
      this.unknown.delete(stream.id);
      this.book.add(stream.id, sample);
      return sample;
    } catch (error) {
      if (signal.aborted) return null;
      if (!(error instanceof EngineError)) throw error;
      this.errors.inc();
      this.log.debug('statistics poll failed', { stream_id: stream.id, engine_id: engine.id, error: error.message });
      if (saysGone(error)) this.sessionUnknown(stream);
      return null;
    }
  }

  /** Ends a stream reported by events whose `stream_ended` was lost; a proxy that sends reports ends its streams itself. */
  private sessionUnknown(stream: TrackedStream): void {
    const times = (this.unknown.get(stream.id) ?? 0) + 1;
    this.unknown.set(stream.id, times);
    if (times < GONE_AFTER || stream.proxyId !== null) return;
    // If an event replaced the stream meanwhile, it may have another session.
    if (this.streams.get(stream.id) === stream) this.streams.end(stream.id, 'its engine no longer knows the session');
  }
}

/** Rounded, because one fraction makes Go clients drop the whole response. */
function toSample({ status, peers, speedDown, speedUp, downloaded, uploaded }: PlaybackStat, ts: number): StatSample {
  const whole = (value: number | null): number | null => (value === null ? null : Math.round(value));
  return {
    ts,
    peers: whole(peers),
    speedDown: whole(speedDown),
    speedUp: whole(speedUp),
    downloaded: whole(downloaded),
    uploaded: whole(uploaded),
    status,
  };
}

function fromRow({ streamId: _streamId, ...sample }: StreamStatRow): StatSample {
  return sample;
}
