/** The messages between the front and its workers: topics, and what they carry. All of it is JSON. */
import type { BufferUse } from '../playback/stream-status.js';
import type { SelectRequest } from '../selection/engine-selector.js';
import type { HlsStatus } from '../hls/hls-stream.js';
import type { SessionEnd } from '../sessions/session-events.js';
import type { Selector } from './route.policy.js';
import type { SessionSnapshot } from '../sessions/session-snapshot.js';

/** Notices of the front to a worker. */
export const TO_WORKER = {
  /** A number: the index of the worker that the process becomes. */
  start: 'start',
  /** HandedConnection, with the socket. */
  connection: 'connection',
  /** LeaveOrder: the orchestrator drains an engine. */
  leaveEngine: 'leave-engine',
  /** A number: sessions without viewers that should end. */
  endLingering: 'end-lingering',
  /** A session of another worker waits for an engine. */
  freeEngine: 'free-engine',
  /** NoneFree: the request of this worker waits for an engine. */
  noneFree: 'none-free',
  /** A number: viewers of the other workers. */
  viewersElsewhere: 'viewers-elsewhere',
  /** A stream id: another worker plays the content. */
  moveAway: 'move-away',
  /** Shut down in order. */
  stop: 'stop',
} as const;

/** Questions of the front to a worker. */
export const ASK_WORKER = { metrics: 'metrics', status: 'status' } as const;

/** Notices of a worker to the front. */
export const TO_FRONT = {
  ready: 'ready',
  alive: 'alive',
  /** A number: the id of a HandedConnection that has arrived. */
  taken: 'taken',
  /** A connection that was handed over has closed. */
  closed: 'closed',
  /** ReturnedConnection, with the socket. */
  returned: 'returned',
  /** SessionSnapshot[]: all sessions, after a change. */
  sessions: 'sessions',
  /** EndedNotice */
  ended: 'ended',
  /** A number: the id of a SelectOrder. */
  cancelSelect: 'cancel-select',
} as const;

/** Questions of a worker to the front. */
export const ASK_FRONT = { select: 'select', release: 'release' } as const;

export interface HandedConnection {
  /** Unique within the process of the worker. */
  id: number;
  /** What was read from the socket: one character for each byte. */
  head: string;
  /** Another worker had it before. */
  returned: boolean;
}

/** Nothing was sent to the viewer yet, and another worker plays its content. */
export interface ReturnedConnection {
  head: string;
  selector: Selector;
}

export interface EndedNotice {
  streamId: string;
  end: SessionEnd;
}

/** A request for an engine. */
export interface SelectOrder extends Pick<SelectRequest, 'streamId' | 'content' | 'exclude' | 'purpose'> {
  /** Unique within the worker. */
  id: number;
  /** Number of the standby engine; null: none. */
  standby: number | null;
  /** Milliseconds that are left. */
  leftMs: number;
}

export interface GrantedEngine {
  kind: 'granted';
  /** Number under which the worker releases it. */
  lease: number;
  engine: { engineId: string; containerId: string | null; host: string; port: number; leaseId: string | null; reason: string };
}

export interface RefusedEngine {
  kind: 'refused';
  reason: string;
  retryAfterSeconds: number;
}

/** What a worker does now. */
export interface WorkerStatus {
  sessions: readonly SessionStatus[];
  /** Null: unknown. */
  buffers: BufferUse | null;
}

export interface SessionStatus {
  snapshot: SessionSnapshot;
  hls: HlsStatus | null;
}
