/** A proxy without leases: it chooses engines from the list and reports its streams with events. */
import type { StreamStartedEvent } from '@acexy/contracts';
import type { SimulatedOrchestrator } from './simulated-orchestrator.js';
import type { SimulatedWorld } from './simulated-world.js';

interface ForeignStream {
  id: string;
  event: StreamStartedEvent;
  engineId: string;
  /** The last event that the orchestrator acknowledged. */
  acknowledged: 'nothing' | 'start' | 'end';
}

export class SimulatedForeignProxy {
  private readonly streams: ForeignStream[] = [];
  private counter = 0;

  constructor(
    private readonly world: SimulatedWorld,
    /** Broken invariants. */
    private readonly violations: string[],
  ) {}

  /** Plays on an engine that the list shows as free, and sends the event. */
  start({ registry, claims, events }: SimulatedOrchestrator): void {
    const free = registry
      .all()
      .find(
        ({ id, lifecycle, health }) => lifecycle === 'ready' && health === 'healthy' && claims.on(id).count === 0 && !claims.on(id).cordon,
      );
    // An engine that does not answer plays nothing.
    if (!free || !this.world.answers(free.id)) return;
    const id = `foreign-${++this.counter}`;
    const { host, port } = free.instance;
    const event: StreamStartedEvent = {
      container_id: 'the container of the proxy itself',
      engine: { host, port },
      stream: { key_type: 'content_id', key: id },
      session: {
        playback_session_id: id,
        stat_url: `http://x/ace/stat/${id}/1`,
        command_url: `http://x/ace/cmd/${id}/1`,
        is_live: 1,
      },
      labels: { stream_id: id },
    };
    const stream: ForeignStream = { id, event, engineId: free.id, acknowledged: 'nothing' };
    this.streams.push(stream);
    this.world.playing.set(id, free.id);
    void events.started(event).then(({ status }) => {
      if (stream.acknowledged === 'nothing') stream.acknowledged = 'start';
      if (status !== 'started' && this.world.playing.has(id)) this.violations.push(`${id} was acknowledged as ${status} while it plays`);
    });
  }

  /** Sends the start event of any stream again, which must change nothing. */
  repeat(which: number, { events }: SimulatedOrchestrator): void {
    const stream = this.streams[which % this.streams.length];
    if (stream && stream.acknowledged !== 'nothing') void events.started(stream.event);
  }

  end(which: number, orchestrator: SimulatedOrchestrator): void {
    const playing = this.streams.filter(({ id }) => this.world.playing.has(id));
    const stream = playing[which % playing.length];
    if (stream) this.finish(stream, orchestrator);
  }

  endAll(orchestrator: SimulatedOrchestrator): void {
    for (const stream of this.streams) if (stream.acknowledged !== 'end') this.finish(stream, orchestrator);
  }

  /** Streams whose start was not acknowledged before the kill do not exist. */
  serviceKilled(): void {
    for (const stream of this.streams) if (stream.acknowledged === 'nothing') this.world.playing.delete(stream.id);
  }

  /** Engines of acknowledged streams that still play. */
  playingOn(): string[] {
    const playing = this.streams.filter(({ id, acknowledged }) => acknowledged === 'start' && this.world.playing.has(id));
    return playing.map(({ engineId }) => engineId);
  }

  /** Checks that acknowledged streams are known: as ended, or as started while their engine plays them. */
  check({ streams }: SimulatedOrchestrator): void {
    for (const { id, acknowledged } of this.streams) {
      if (acknowledged === 'nothing') continue;
      const known = streams.get(id);
      if (!known) this.violations.push(`the acknowledged ${acknowledged} of ${id} is lost`);
      else if (acknowledged === 'end' && known.endedAt === null) this.violations.push(`${id} plays again after its acknowledged end`);
      else if (acknowledged === 'start' && known.endedAt !== null && this.world.playing.has(id))
        this.violations.push(`${id} was ended while it plays: ${known.endReason}`);
    }
  }

  private finish(stream: ForeignStream, { events }: SimulatedOrchestrator): void {
    this.world.playing.delete(stream.id);
    // If the start was never acknowledged, the stream may be unknown, so its end proves nothing.
    const wasKnown = stream.acknowledged === 'start';
    void events.ended({ stream_id: stream.id }).then(() => {
      if (wasKnown) stream.acknowledged = 'end';
    });
  }
}
