import { EngineError } from '@acexy/engine-client';
import { Log } from '@acexy/service-kit';
import { forEachConcurrently, WakeableLoop } from '@acexy/service-kit/primitives';
import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { EngineRegistry } from '../engines/engine-registry.js';
import { EngineClaimBook } from '../leases/engine-claims.js';
import { hasStat, saysGone, SessionStat } from './session-stat.js';
import type { TrackedStream } from './stream-book.js';

const CHECK_INTERVAL_MS = 5000;
const CONCURRENT_CHECKS = 16;

/**
 * Engines of a proxy that stopped reporting may still play for viewers. They are cordoned until the engine no longer knows the session, or the proxy
 * reports again.
 */
@Injectable()
export class Quarantine implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly streams = new Map<string, TrackedStream>();
  private readonly loop: WakeableLoop;
  private readonly log: Log;

  constructor(
    private readonly registry: EngineRegistry,
    private readonly claims: EngineClaimBook,
    private readonly stat: SessionStat,
    log: Log,
  ) {
    this.log = log.child('quarantine');
    this.loop = new WakeableLoop({
      name: 'quarantine',
      intervalMs: CHECK_INTERVAL_MS,
      round: (signal) => forEachConcurrently([...this.streams.values()], CONCURRENT_CHECKS, (stream) => this.check(stream, signal)),
      log: this.log,
    });
  }

  onApplicationBootstrap(): void {
    this.loop.start();
  }

  async onModuleDestroy(): Promise<void> {
    await this.loop.stop();
  }

  /** @param stream as the silent proxy last reported it */
  add(stream: TrackedStream): void {
    if (!this.registry.get(stream.containerId) || !hasStat(stream)) return;
    this.streams.set(stream.id, stream);
    this.claims.cordon(stream.containerId, owner(stream), { kind: 'open', reason: 'in quarantine, its proxy stopped reporting' });
    this.log.warn('engine put into quarantine', { engine_id: stream.containerId, stream_id: stream.id, proxy_id: stream.proxyId });
    this.loop.wake();
  }

  /** The proxy reports again, so its reports count. */
  endOf(proxyId: string): void {
    for (const stream of [...this.streams.values()]) if (stream.proxyId === proxyId) this.end(stream, 'its proxy reports again');
  }

  private end(stream: TrackedStream, reason: string): void {
    this.streams.delete(stream.id);
    this.claims.uncordon(stream.containerId, owner(stream));
    this.log.info('quarantine ended', { engine_id: stream.containerId, stream_id: stream.id, reason });
  }

  private async check(stream: TrackedStream, signal: AbortSignal): Promise<void> {
    const engine = this.registry.get(stream.containerId);
    if (!engine) return this.end(stream, 'the engine is gone');
    try {
      await this.stat.ask(engine, stream, signal);
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      if (saysGone(error)) this.end(stream, 'the engine no longer knows the session');
      else this.log.debug('quarantine check failed', { stream_id: stream.id, error: error.message });
    }
  }
}

function owner(stream: TrackedStream): string {
  return `quarantine:${stream.id}`;
}
