import {
  type BatchedEventAnswer,
  type EventBatch,
  type EventBatchAnswer,
  type StreamEndedAnswer,
  StreamEndedEvent,
  StreamStartedEvent,
  type StreamState,
} from '@acexy/contracts';
import { BadRequestException, Injectable } from '@nestjs/common';
import { LENIENT } from '../http/validation.js';
import { Clock } from '@acexy/service-kit/primitives';
import { EngineRegistry } from '../engines/engine-registry.js';
import { EngineSync } from '../engines/engine-sync.service.js';
import { locateEngine } from './engine-finder.js';
import type { TrackedStream } from './stream-book.js';
import { fromEvent, toStreamState } from './stream-shapes.js';
import { StreamService } from './stream.service.js';

/**
 * Takes the events of proxies that send no reports. An event is visible to reads at once and is answered after its commit; simultaneous events share
 * a commit. Repeating an event changes nothing. A start waits for the first list of engines, to find the engine it names.
 */
@Injectable()
export class StreamEvents {
  constructor(
    private readonly streams: StreamService,
    private readonly registry: EngineRegistry,
    private readonly sync: EngineSync,
    private readonly clock: Clock,
  ) {}

  /** @throws what the database throws; the stream is then known, and repeating the event retries the save */
  async started(event: StreamStartedEvent): Promise<StreamState> {
    await this.sync.knowsWhatRuns();
    const stream = this.take(event);
    await this.streams.durable(stream);
    return toStreamState(stream);
  }

  /** @throws what the database throws */
  async ended(event: StreamEndedEvent): Promise<StreamEndedAnswer> {
    const { updated, stream } = this.finish(event);
    if (stream) await this.streams.durable(stream);
    return { updated, stream: stream && toStreamState(stream) };
  }

  /** Each event has its own result; all share one or two commits. */
  async batch({ started, ended }: EventBatch): Promise<EventBatchAnswer> {
    const starts = await Promise.all((started ?? []).map((item) => parsed(StreamStartedEvent, item)));
    const ends = await Promise.all((ended ?? []).map((item) => parsed(StreamEndedEvent, item)));
    await this.sync.knowsWhatRuns();
    const startAnswers = starts.map((event) => (typeof event === 'string' ? failure(event) : this.batchedStart(event)));
    const endAnswers = ends.map((event) => (typeof event === 'string' ? failure(event) : this.batchedEnd(event)));
    return { started: await Promise.all(startAnswers), ended: await Promise.all(endAnswers) };
  }

  private async batchedStart(event: StreamStartedEvent): Promise<BatchedEventAnswer> {
    const stream = this.take(event);
    return this.whenDurable(stream, { success: true, stream_id: stream.id });
  }

  private async batchedEnd(event: StreamEndedEvent): Promise<BatchedEventAnswer> {
    const { updated, stream } = this.finish(event);
    const id = stream?.id ?? event.stream_id;
    if (!id) return failure(event.container_id ? `nothing plays on ${event.container_id}` : 'set stream_id or container_id');
    return this.whenDurable(stream, { success: true, stream_id: id, updated });
  }

  private async whenDurable(stream: TrackedStream | null, answer: BatchedEventAnswer): Promise<BatchedEventAnswer> {
    try {
      if (stream) await this.streams.durable(stream);
      return answer;
    } catch (error) {
      return failure(`not saved: ${(error as Error).message}`);
    }
  }

  private take(event: StreamStartedEvent): TrackedStream {
    const { engine, address } = locateEngine(this.registry.all(), event.container_id, event.engine);
    const stream = fromEvent(event, engine ?? event.container_id ?? '', address, this.clock.wallTime());
    const known = this.streams.get(stream.id);
    // A start that arrives after its end is ignored, because no event would end the stream again. A new session has another id.
    if (known?.endedAt != null && known.playbackSessionId === stream.playbackSessionId) return known;
    // The reports of a proxy are more reliable than an event.
    if (known?.endedAt === null && known.proxyId !== null) return known;
    // A repeated event that names an unknown engine: the known engine is more reliable.
    if (engine === null && known?.endedAt === null && known.playbackSessionId === stream.playbackSessionId) return known;
    return this.streams.put(stream);
  }

  /** The stream is named by its id, else it is the newest one that plays on the container. */
  private finish({ stream_id: streamId, container_id: containerId, reason }: StreamEndedEvent): {
    updated: boolean;
    stream: TrackedStream | null;
  } {
    // Some clients send an empty text for an unknown value.
    const id = streamId || (containerId ? this.streams.list({ status: 'started', containerId })[0]?.id : undefined);
    if (!id) return { updated: false, stream: null };
    const updated = this.streams.end(id, reason || 'ended by event');
    return { updated, stream: this.streams.get(id) ?? null };
  }
}

/** The event, or the validation error. */
async function parsed<T>(type: new () => T, item: unknown): Promise<T | string> {
  if (typeof item !== 'object' || item === null || Array.isArray(item)) return 'an event must be an object';
  try {
    return (await LENIENT.transform(item, { type: 'body', metatype: type })) as T;
  } catch (error) {
    if (!(error instanceof BadRequestException)) throw error;
    const { message } = error.getResponse() as { message: string | string[] };
    return Array.isArray(message) ? message.join('; ') : message;
  }
}

function failure(error: string): BatchedEventAnswer {
  return { success: false, error };
}
