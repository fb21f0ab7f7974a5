/** The proxy's own metrics, all named `acexy_…`. What can be counted when it is asked for is not kept up. */
import type { OrchestratorCall } from '@acexy/orchestrator-client';
import { counterOf as counter, metric as own, readGauge as gauge, readTotal as total } from '@acexy/service-kit';
import { Histogram } from 'prom-client';
import type { ViewerEndReason } from '../broadcast/broadcast.js';
import type { FailoverCause } from '../sessions/failover/failover.plan.js';
import type { FailoverOutcome, HedgeOutcome, SessionEvent, StandbyOutcome, StopOutcome, ViewerLimit } from '../sessions/session-events.js';
import type { SessionSnapshot } from '../sessions/session-snapshot.js';

/** Seconds; a warm engine delivers within one, a dead one is given up at 30 and 60. */
const START_BUCKETS = [0.1, 0.25, 0.5, 1, 2, 3, 5, 8, 13, 20, 30, 45, 60];
/** Seconds without bytes; players have one or two of them in hand. */
const GAP_BUCKETS = [0.1, 0.25, 0.5, 1, 2, 3, 5, 8, 13, 20, 30, 60];
/** Seconds; a viewer of a stream that plays has its first bytes within milliseconds. */
const JOIN_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 8, 13, 20, 30, 60];
const CALL_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Shown as 0 from the start, or the first of each would be a new series and no rise to whoever watches for it. */
const START_OUTCOMES = ['playing', 'no_engine', 'engines_refused', 'engines_silent'].map((outcome) => ({ outcome }));
const VIEWER_ENDS = (['removed', 'source-ended', 'too-slow', 'write-failed'] satisfies ViewerEndReason[]).map((reason) => ({ reason }));
const STOP_OUTCOMES = (['stopped', 'already_gone', 'nothing_to_stop', 'failed'] satisfies StopOutcome[]).map((outcome) => ({ outcome }));
const STANDBY_OUTCOMES = (['used', 'returned', 'preempted', 'none'] satisfies StandbyOutcome[]).map((outcome) => ({ outcome }));
const VIEWER_LIMITS = (['all', 'stream'] satisfies ViewerLimit[]).map((full) => ({ full }));
const HEDGE_OUTCOMES = (['won', 'lost', 'none'] satisfies HedgeOutcome[]).map((outcome) => ({ outcome }));
const LOSSES = (['eof', 'reset', 'stall', 'drained'] satisfies FailoverCause[]).flatMap((cause) =>
  (['exact', 'renumbered', 'keyframe', 'given-up'] satisfies FailoverOutcome[]).map((outcome) => ({ cause, outcome })),
);

/** What the gauges are read from. */
export interface MetricSources {
  snapshots(): SessionSnapshot[];
  /** null: no orchestrator is set. */
  orchestratorAway(): boolean | null;
  unsentEvents(): number;
  /** Of segments, over all streams. */
  hlsBytes(): number;
}

export class ProxyMetrics {
  private bytesInOfEnded = 0;
  private bytesSentToGone = 0;
  private skipsOfGone = 0;
  private readonly starts = counter('acexy_starts_total', 'Streams asked of engines, by what came of it', ['outcome'], START_OUTCOMES);
  private readonly firstByte = own(
    'acexy_first_byte_seconds',
    (name) => new Histogram({ name, help: "From an engine's answer to a start to the first packet of the stream", buckets: START_BUCKETS }),
  );
  private readonly startTimes = own(
    'acexy_start_seconds',
    (name) =>
      new Histogram({
        name,
        help: 'From the first request for a stream to what came of its start',
        labelNames: ['outcome'],
        buckets: START_BUCKETS,
      }),
  );
  private readonly joins = own(
    'acexy_join_seconds',
    (name) =>
      new Histogram({
        name,
        help: "From a viewer's request to its first bytes, by whether the stream played already",
        labelNames: ['stream'],
        buckets: JOIN_BUCKETS,
      }),
  );
  private readonly ends = counter('acexy_streams_ended_total', 'Streams that ended, by cause', ['cause']);
  private readonly viewerEnds = counter(
    'acexy_viewers_ended_total',
    'Viewers that had the stream and left or were let go',
    ['reason'],
    VIEWER_ENDS,
  );
  private readonly refusals = counter(
    'acexy_viewers_refused_total',
    'Viewers turned away, by what had as many as it may have: the stream, or all of them together',
    ['full'],
    VIEWER_LIMITS,
  );
  private readonly stops = counter(
    'acexy_engine_stops_total',
    'Engine sessions closed, by what their stop came to',
    ['outcome'],
    STOP_OUTCOMES,
  );
  private readonly failovers = counter(
    'acexy_failovers_total',
    'Streams carried on from another engine, or not, by what came of it',
    ['cause', 'outcome'],
    LOSSES,
  );
  private readonly standbys = counter(
    'acexy_standby_outcomes_total',
    'Standby engines requested while a source was silent, by outcome',
    ['outcome'],
    STANDBY_OUTCOMES,
  );
  private readonly hedges = counter(
    'acexy_hedges_total',
    'Engines looked for beside one that was slow to begin, by whether they were quicker',
    ['outcome'],
    HEDGE_OUTCOMES,
  );
  private readonly gaps = own(
    'acexy_failover_gap_seconds',
    (name) =>
      new Histogram({
        name,
        help: 'From the last byte of a lost engine to the first of the one that carries the stream on',
        buckets: GAP_BUCKETS,
      }),
  );
  private readonly calls = own(
    'acexy_orchestrator_call_seconds',
    (name) => new Histogram({ name, help: 'Exchanges with the orchestrator', labelNames: ['endpoint', 'outcome'], buckets: CALL_BUCKETS }),
  );

  /** The metrics that are read from the streams themselves. */
  observe(sources: MetricSources): void {
    const broadcasts = () => sources.snapshots().flatMap(({ broadcast }) => broadcast ?? []);
    const viewers = () => broadcasts().flatMap((broadcast) => broadcast.viewers);
    gauge('acexy_sessions', 'Streams by state', ['state'], (set) => {
      for (const state of ['starting', 'playing', 'lingering', 'failing_over', 'stopping'] as const) {
        set(sources.snapshots().filter((session) => session.state === state).length, { state });
      }
    });
    gauge('acexy_viewers', 'Viewers, those that wait for a start among them', [], (set) =>
      set(sources.snapshots().reduce((sum, session) => sum + session.viewers, 0)),
    );
    gauge('acexy_viewer_lag_seconds_max', 'How far the slowest viewer is behind', [], (set) =>
      set(Math.max(0, ...viewers().map(({ lagMs }) => lagMs / 1000))),
    );
    gauge('acexy_standby_engines', 'Engines leased as standby for streams whose source is silent', [], (set) =>
      set(sources.snapshots().filter(({ standbyEngine }) => standbyEngine !== null).length),
    );
    gauge('acexy_buffer_bytes', 'Stream kept in memory', [], (set) => set(broadcasts().reduce((sum, { ring }) => sum + ring.bytes, 0)));
    gauge('acexy_hls_bytes', 'Stream kept in memory as segments; the newest of it is in acexy_buffer_bytes too', [], (set) =>
      set(sources.hlsBytes()),
    );
    total('acexy_engine_bytes_total', 'Bytes received from engines', () =>
      broadcasts().reduce((sum, { bytesIn }) => sum + bytesIn, this.bytesInOfEnded),
    );
    total('acexy_viewer_bytes_total', 'Bytes of stream sent to viewers', () =>
      viewers().reduce((sum, { bytesSent }) => sum + bytesSent, this.bytesSentToGone),
    );
    total('acexy_viewer_skips_total', 'Times that viewers too slow for the stream skipped a part of it', () =>
      viewers().reduce((sum, { skips }) => sum + skips, this.skipsOfGone),
    );
    gauge('acexy_orchestrator_away', '1 while the orchestrator is known to be away', [], (set) => set(sources.orchestratorAway() ? 1 : 0));
    gauge('acexy_events_unsent', 'Events that a foreign orchestrator has not been told yet', [], (set) => set(sources.unsentEvents()));
  }

  /** A viewer of HLS counts its bytes with {@link hlsSegmentSent}. */
  viewerEnded(reason: ViewerEndReason, { bytesSent, skips } = { bytesSent: 0, skips: 0 }): void {
    this.viewerEnds.inc({ reason });
    this.bytesSentToGone += bytesSent;
    this.skipsOfGone += skips;
  }

  hlsSegmentSent(bytes: number): void {
    this.bytesSentToGone += bytes;
  }

  /** @param stream whether it played when the viewer came, or had to be started */
  viewerJoined(joinMs: number, stream: 'playing' | 'started'): void {
    this.joins.observe({ stream }, joinMs / 1000);
  }

  orchestratorCalled({ endpoint, outcome, durationMs }: OrchestratorCall): void {
    this.calls.observe({ endpoint, outcome }, durationMs / 1000);
  }

  count(event: SessionEvent): void {
    switch (event.type) {
      case 'changed':
      case 'closing':
        return;
      case 'playing':
        this.started('playing', event.startMs);
        this.firstByte.observe(event.firstByteMs / 1000);
        return;
      case 'start_failed':
        this.started((event.error as { code?: string }).code ?? 'error', event.startMs);
        return;
      case 'ended':
        this.ends.inc({ cause: event.end.cause });
        this.bytesInOfEnded += event.bytesIn;
        return;
      case 'failover_finished':
        this.failovers.inc({ cause: event.cause, outcome: event.outcome });
        if (event.gapMs !== null) this.gaps.observe(event.gapMs / 1000);
        return;
      case 'standby_finished':
        this.standbys.inc({ outcome: event.outcome });
        return;
      case 'hedge_finished':
        this.hedges.inc({ outcome: event.outcome });
        return;
      case 'engine_closed':
        this.stops.inc({ outcome: event.outcome });
        return;
      case 'viewer_rejected':
        this.refusals.inc({ full: event.limit });
        return;
      default: {
        const unknown: never = event;
        throw new TypeError(`unknown event: ${String(unknown)}`);
      }
    }
  }

  private started(outcome: string, startMs: number): void {
    this.starts.inc({ outcome });
    this.startTimes.observe({ outcome }, startMs / 1000);
  }
}
