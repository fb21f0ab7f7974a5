/** The worker's side of the channel to the front: takes connections, tells what plays, and does what the front decides for all workers. */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { LeaveOrder } from '@acexy/contracts';
import { type Clock, OneShotTimer } from '@acexy/service-kit/primitives';
import { register } from 'prom-client';
import type { HlsStatus } from '../hls/hls-stream.js';
import type { SessionRegistry } from '../sessions/session-registry.js';
import type { Channel } from './channel.js';
import type { HandedConnections } from './handed-connections.js';
import { ASK_WORKER, type EndedNotice, type HandedConnection, TO_FRONT, TO_WORKER, type WorkerStatus } from './protocol.js';
import { serveOneRequest, serveSocket } from './served-socket.js';

const ALIVE_EVERY_MS = 1000;
/** Changes within this time become one notice. */
const COALESCE_MS = 10;

export interface WorkerParts {
  server: Server;
  connections: HandedConnections;
  registry: Pick<
    SessionRegistry,
    'events' | 'snapshots' | 'leaveEngine' | 'endLingering' | 'freeEngine' | 'moveAway' | 'viewersElsewhere' | 'budget' | 'rejectViewers'
  >;
  hlsStatusOf(streamId: string): HlsStatus | null;
  clock: Clock;
  /** Shuts down in order. */
  stop(): void;
}

/** Connects the parts to the front, and tells it that this worker is ready. */
export function linkToFront(channel: Channel, { server, connections, registry, hlsStatusOf, clock, stop }: WorkerParts): void {
  serveOneRequest(server);
  channel.onNotice(TO_WORKER.connection, (handed: HandedConnection, socket: Socket | undefined) => {
    channel.notify(TO_FRONT.taken, handed.id);
    const closed = (): void => channel.notify(TO_FRONT.closed);
    // The client has left on the way.
    if (socket === undefined) closed();
    else {
      connections.add(socket.once('close', closed), handed);
      serveSocket(server, socket, Buffer.from(handed.head, 'latin1'));
    }
  });
  channel.onNotice(TO_WORKER.moveAway, (streamId: string) => registry.moveAway(streamId));
  channel.onNotice(TO_WORKER.leaveEngine, (order: LeaveOrder) => registry.leaveEngine(order));
  channel.onNotice(TO_WORKER.endLingering, (count: number) => void registry.endLingering(count));
  channel.onNotice(TO_WORKER.freeEngine, () => void registry.freeEngine());
  channel.onNotice(TO_WORKER.viewersElsewhere, (viewers: number) => (registry.viewersElsewhere = viewers));
  channel.onNotice(TO_WORKER.stop, () => {
    // At once, since the front already answers that the proxy is not ready: a shutdown in order takes a moment to get there.
    registry.rejectViewers();
    stop();
  });
  channel.onQuestion(ASK_WORKER.metrics, () => register.getMetricsAsJSON());
  channel.onQuestion(ASK_WORKER.status, (): WorkerStatus => {
    const { usedBytes, plan } = registry.budget;
    return {
      sessions: registry.snapshots().map((snapshot) => ({ snapshot, hls: hlsStatusOf(snapshot.streamId) })),
      buffers: { usedBytes, plan: { bufferBytes: plan.bufferBytes } },
    };
  });
  const changed = new OneShotTimer(clock, () => {
    // Bytes and positions of viewers change all the time: the front asks for them when somebody wants to know.
    channel.notify(
      TO_FRONT.sessions,
      registry.snapshots().map((snapshot) => ({ ...snapshot, broadcast: null })),
    );
  });
  registry.events.subscribe((event) => {
    if (event.type === 'ended') {
      const ended: EndedNotice = { streamId: event.streamId, end: event.end };
      channel.notify(TO_FRONT.ended, ended);
    } else if (event.type === 'changed') changed.set(COALESCE_MS);
  });
  // A worker whose event loop is blocked sends nothing, and is replaced.
  const beat = (): void => {
    channel.notify(TO_FRONT.alive);
    clock.setTimeout(beat, ALIVE_EVERY_MS);
  };
  beat();
  channel.notify(TO_FRONT.ready);
}
