import { EngineError } from '@acexy/engine-client';
import { Log } from '@acexy/service-kit';
import { WakeableLoop } from '@acexy/service-kit/primitives';
import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { EngineRegistry } from '../engines/engine-registry.js';
import { LeaseService } from '../leases/lease.service.js';
import { hasStat, saysGone, SessionStat } from './session-stat.js';
import type { Stream } from './stream-book.js';

const ASK_EVERY_MS = 5000;
/** Engines asked at the same time. */
const AT_ONCE = 16;

/**
 * The engines of a proxy that fell silent may still be playing to viewers we cannot hear of. They are neither leased nor removed until
 * their own stat says that the session is gone, or the proxy reports again.
 */
@Injectable()
export class Quarantine implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly streams = new Map<string, Stream>();
  private readonly loop: WakeableLoop;
  private readonly log: Log;

  constructor(
    private readonly registry: EngineRegistry,
    private readonly leases: LeaseService,
    private readonly stat: SessionStat,
    log: Log,
  ) {
    this.log = log.child('quarantine');
    this.loop = new WakeableLoop({ name: 'quarantine', intervalMs: ASK_EVERY_MS, round: (signal) => this.round(signal), log: this.log });
  }

  onApplicationBootstrap(): void {
    this.loop.start();
  }

  async onModuleDestroy(): Promise<void> {
    await this.loop.stop();
  }

  /** `stream` was the last we heard of a proxy. */
  add(stream: Stream): void {
    if (!this.registry.get(stream.containerId) || !hasStat(stream)) return;
    this.streams.set(stream.id, stream);
    this.leases.hold(stream.containerId, owner(stream), { kind: 'open', reason: 'in quarantine, its proxy fell silent' });
    this.log.warn('engine in quarantine, its proxy fell silent', {
      engine_id: stream.containerId,
      stream_id: stream.id,
      proxy_id: stream.proxyId,
    });
    this.loop.wake();
  }

  /** The proxy reports again: what it says counts. */
  liftOf(proxyId: string): void {
    for (const stream of [...this.streams.values()]) if (stream.proxyId === proxyId) this.lift(stream, 'its proxy reports again');
  }

  private lift(stream: Stream, reason: string): void {
    this.streams.delete(stream.id);
    this.leases.lift(stream.containerId, owner(stream));
    this.log.info('quarantine lifted', { engine_id: stream.containerId, stream_id: stream.id, reason });
  }

  private async round(signal: AbortSignal): Promise<void> {
    const queue = [...this.streams.values()][Symbol.iterator]();
    const worker = async (): Promise<void> => {
      for (const stream of queue) await this.ask(stream, signal);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
  }

  private async ask(stream: Stream, signal: AbortSignal): Promise<void> {
    const engine = this.registry.get(stream.containerId);
    if (!engine) return this.lift(stream, 'the engine is gone');
    try {
      await this.stat.ask(engine, stream, signal);
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      if (saysGone(error)) this.lift(stream, 'the engine says that the session is gone');
      // Anything else is no word on the session: asked again in the next round.
      else this.log.debug('no word on a session in quarantine', { stream_id: stream.id, error: error.message });
    }
  }
}

function owner(stream: Stream): string {
  return `quarantine:${stream.id}`;
}
