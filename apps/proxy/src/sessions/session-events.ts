/** What happens to sessions. {@link SessionRegistry} emits these events; metrics, reports and {@link Alternatives} read them. */
import type { SpliceKind } from '../broadcast/broadcast.js';
import type { RequestedContent } from '../http/content-key.js';
import type { FailoverCause } from './failover/failover.plan.js';

export type SessionEvent =
  /** Something changed that a report contains. */
  | { type: 'changed' }
  /** `startMs`: from the first viewer's request to the first packet. `firstByteMs`: the part of it after the engine's answer. */
  | { type: 'playing'; startMs: number; firstByteMs: number }
  | { type: 'start_failed'; error: Error; startMs: number }
  /** The session accepts no more viewers. `startError`: why it never played. */
  | { type: 'closing'; streamId: string; content: RequestedContent; end: SessionEnd; startError: Error | null }
  /** Its engines are stopped and released. `bytesIn`: bytes that it received from engines. */
  | { type: 'ended'; streamId: string; end: SessionEnd; bytesIn: number }
  | ({ type: 'failover_finished' } & FailoverResult)
  | { type: 'standby_finished'; outcome: StandbyOutcome }
  | { type: 'hedge_finished'; outcome: HedgeOutcome }
  | { type: 'engine_closed'; outcome: StopOutcome }
  | { type: 'viewer_rejected'; limit: ViewerLimit | 'memory' }
  /** An exception in the proxy's own code. */
  | { type: 'exception'; ended: ExceptionPart };

export type EmitSessionEvent = (event: SessionEvent) => void;

/** `moved`: another worker plays the content. `worker-exited`: the process that had the session ended. */
export type EndCause = 'viewers-left' | 'start-failed' | 'merged' | 'source-lost' | 'shutdown' | 'moved' | 'worker-exited';

export interface SessionEnd {
  cause: EndCause;
  reason: string;
  /** ISO 8601 */
  at: string;
}

export interface FailoverResult {
  cause: FailoverCause;
  outcome: FailoverOutcome;
  /** From the last byte of the old source to the first byte of the new one, in ms; null when the failover failed or viewers lost nothing. */
  gapMs: number | null;
}

/** The kind of splice, or `recovered`: the old source delivers again; `given-up`: no engine took over; `refused`: the new engine has another codec. */
export type FailoverOutcome = SpliceKind | 'recovered' | 'given-up' | 'refused';

/** `used`: a failover used it. `returned`: the source recovered, or the session ended. `preempted`: another session needed it. `none`: no engine was free. */
export type StandbyOutcome = 'used' | 'returned' | 'preempted' | 'none';

/** `won`: the second engine was faster. `lost`: the first engine was faster, or the second failed. `none`: no second engine was free. */
export type HedgeOutcome = 'won' | 'lost' | 'none';

export type StopOutcome = 'stopped' | 'already_gone' | 'nothing_to_stop' | 'failed';

/** What an exception ended. `none`: a hook or a timer threw, and everything goes on. */
export type ExceptionPart = 'source' | 'viewer' | 'hls' | 'stream' | 'none';

/** The limit that is reached: on all viewers, or on those of one stream. */
export type ViewerLimit = 'all' | 'stream';
