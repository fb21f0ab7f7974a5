import { EngineError, type PlaybackStat } from '@acexy/engine-client';
import { Log, metric } from '@acexy/service-kit';
import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { Counter } from 'prom-client';
import { Clock, WakeableLoop } from '@acexy/service-kit/primitives';
import { StatHistory } from '../database/stat-history.js';
import type { StreamStatRow } from '../database/stream-stat-row.entity.js';
import { EngineRegistry } from '../engines/engine-registry.js';
import { OrchestratorSettings } from '../settings.js';
import { hasStat, saysGone, SessionStat } from './session-stat.js';
import { type Snapshot, StatBook } from './stat-book.js';
import type { Stream } from './stream-book.js';
import { StreamService } from './stream.service.js';

/** Engines asked at the same time; one that hangs costs its limit, not the others'. */
const AT_ONCE = 16;
/** A session may be unknown for a moment while it changes hands; twice in a row it is gone. */
const GONE_AFTER = 2;
/** How long the statistics of a stream outlive it. */
const OUTLIVE_MS = 3_600_000;

/** Asks the engines every COLLECT_INTERVAL_S how their streams do, and keeps the answers. */
@Injectable()
export class StatsCollector implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly book: StatBook;
  private readonly loop: WakeableLoop;
  private readonly log: Log;
  /** How often in a row the engine knew nothing of the session. */
  private readonly unknown = new Map<string, number>();
  /** In which round each stream was asked last: where one round has no time for all, the next begins with the others. */
  private readonly asked = new Map<string, number>();
  private rounds = 0;
  private readonly errors = metric(
    'orch_collect_errors_total',
    (name) => new Counter({ name, help: 'Questions about a stream that an engine did not answer' }),
  );

  constructor(
    private readonly streams: StreamService,
    private readonly registry: EngineRegistry,
    private readonly history: StatHistory,
    private readonly stat: SessionStat,
    private readonly settings: OrchestratorSettings,
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
      if (!this.isWanted(id)) continue;
      this.book.restore(id, (await this.history.load(id, this.settings.statsHistoryMax)).map(fromRow));
    }
    this.loop.start();
  }

  async onModuleDestroy(): Promise<void> {
    await this.loop.stop();
  }

  /** What is known of a stream from `from` on (milliseconds since the epoch), oldest first. */
  since(streamId: string, from?: number): Snapshot[] {
    return this.book.since(streamId, from);
  }

  /** Forgets, in the database too, what is over the number to keep and what belongs to streams that ended long ago. @returns rows removed */
  async prune(): Promise<number> {
    for (const id of this.book.streamIds()) if (!this.isWanted(id)) this.book.forget(id);
    let rows = 0;
    for (const id of await this.history.streamIds()) {
      if (!this.book.has(id) && this.isWanted(id)) continue;
      rows += await this.history.forget(id, this.book.oldest(id) ?? undefined);
    }
    return rows;
  }

  private isWanted(streamId: string): boolean {
    const stream = this.streams.get(streamId);
    return stream !== undefined && (stream.endedAt === null || this.clock.wallTime() - stream.endedAt < OUTLIVE_MS);
  }

  private async round(signal: AbortSignal): Promise<void> {
    this.rounds++;
    const due = this.due();
    this.forgetOthers(due);
    const endAt = this.clock.now() + this.settings.collectIntervalMs;
    const queue = due[Symbol.iterator]();
    const rows: StreamStatRow[] = [];
    const worker = async (): Promise<void> => {
      for (const stream of queue) {
        const snapshot = await this.ask(stream, signal);
        if (snapshot) rows.push({ streamId: stream.id, ...snapshot });
        if (signal.aborted || this.clock.now() >= endAt) return;
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    await this.history.append(rows);
  }

  /** Streams whose engine we know and can ask; those asked least lately first. */
  private due(): Stream[] {
    const lastAsked = ({ id }: Stream): number => this.asked.get(id) ?? 0;
    return this.streams
      .active()
      .filter((stream) => hasStat(stream) && this.registry.get(stream.containerId) !== undefined)
      .sort((a, b) => lastAsked(a) - lastAsked(b));
  }

  private forgetOthers(due: readonly Stream[]): void {
    const ids = new Set(due.map(({ id }) => id));
    for (const id of this.asked.keys()) if (!ids.has(id)) this.asked.delete(id);
    for (const id of this.unknown.keys()) if (!ids.has(id)) this.unknown.delete(id);
  }

  private async ask(stream: Stream, signal: AbortSignal): Promise<Snapshot | null> {
    this.asked.set(stream.id, this.rounds);
    const engine = this.registry.get(stream.containerId);
    if (!engine) return null;
    try {
      const snapshot = toSnapshot(await this.stat.ask(engine, stream, signal), this.clock.wallTime());
      this.unknown.delete(stream.id);
      this.book.add(stream.id, snapshot);
      return snapshot;
    } catch (error) {
      if (signal.aborted) return null;
      if (!(error instanceof EngineError)) throw error;
      this.errors.inc();
      this.log.debug('no statistics of a stream', { stream_id: stream.id, engine_id: engine.id, error: error.message });
      if (saysGone(error)) this.sessionUnknown(stream);
      return null;
    }
  }

  /** Of what no proxy reports, nobody else would ever say that it is over when its `stream_ended` was lost. */
  private sessionUnknown(stream: Stream): void {
    const times = (this.unknown.get(stream.id) ?? 0) + 1;
    this.unknown.set(stream.id, times);
    if (times < GONE_AFTER || stream.proxyId !== null) return;
    // Told anew meanwhile, the stream may have another session.
    if (this.streams.get(stream.id) === stream) this.streams.end(stream.id, 'its engine knows the session no more');
  }
}

function toSnapshot(stat: PlaybackStat, ts: number): Snapshot {
  const { status, peers, speedDown, speedUp, downloaded, uploaded } = stat;
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

/** One fraction makes Go clients drop a whole answer. */
function whole(value: number | null): number | null {
  return value === null ? null : Math.round(value);
}

function fromRow({ streamId: _streamId, ...snapshot }: StreamStatRow): Snapshot {
  return snapshot;
}
