/** The metrics of the proxy, all named `acexy_…`. Values that can be read at the scrape are not stored. */
import type { OrchestratorCall } from '@acexy/orchestrator-client';
import { counterOf as counter, histogramOf as histogram, readGauge as gauge, readTotal as total } from '@acexy/service-kit';
import type { ViewerEndReason } from '../broadcast/broadcast.js';
import type { MemoryPlan } from '../sessions/budget/memory-plan.js';
import type { FailoverCause } from '../sessions/failover/failover.plan.js';
import type {
  ExceptionPart,
  FailoverOutcome,
  HedgeOutcome,
  SessionEvent,
  StandbyOutcome,
  StopOutcome,
  ViewerLimit,
} from '../sessions/session-events.js';
import type { SessionSnapshot } from '../sessions/session-snapshot.js';

/** In seconds. A warm engine delivers within one; the timeouts are 30 and 60. */
const START_BUCKETS = [0.1, 0.25, 0.5, 1, 2, 3, 5, 8, 13, 20, 30, 45, 60];
/** In seconds. Players buffer one or two seconds. */
const GAP_BUCKETS = [0.1, 0.25, 0.5, 1, 2, 3, 5, 8, 13, 20, 30, 60];
/** In seconds. A viewer of a playing stream gets its first bytes within milliseconds. */
const JOIN_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 8, 13, 20, 30, 60];
const CALL_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

const START_OUTCOMES = ['playing', 'no_engine', 'engines_refused', 'engines_silent'];
const VIEWER_ENDS = ['removed', 'source-ended', 'too-slow', 'write-failed', 'failed'] satisfies ViewerEndReason[];
const STOP_OUTCOMES = ['stopped', 'already_gone', 'nothing_to_stop', 'failed'] satisfies StopOutcome[];
const STANDBY_OUTCOMES = ['used', 'returned', 'preempted', 'none'] satisfies StandbyOutcome[];
const VIEWER_LIMITS = ['all', 'stream', 'memory'] satisfies (ViewerLimit | 'memory')[];
const HEDGE_OUTCOMES = ['won', 'lost', 'none'] satisfies HedgeOutcome[];
const LOSS_CAUSES = ['eof', 'reset', 'stall', 'exception', 'drained'] satisfies FailoverCause[];
const EXCEPTION_PARTS = ['source', 'viewer', 'hls', 'stream', 'none'] satisfies ExceptionPart[];
const FAILOVER_OUTCOMES = ['exact', 'renumbered', 'keyframe', 'given-up'] satisfies FailoverOutcome[];

/** Where the gauges of a process that carries streams read their values. */
export interface StreamSources {
  snapshots(): SessionSnapshot[];
  /** Bytes of HLS segments of all streams. */
  hlsBytes(): number;
  budget: { readonly usedBytes: number; readonly plan: MemoryPlan };
}

/** Where the gauges of the process that talks to the orchestrator read their values. */
export interface OrchestratorSources {
  /** Null without ACEXY_ORCH_URL. */
  orchestratorState(): 'reachable' | 'away' | 'unauthorized' | null;
  unsentEvents(): number;
}

export class ProxyMetrics {
  private bytesInOfEnded = 0;
  private bytesSentToGone = 0;
  private skipsOfGone = 0;
  private readonly starts = counter('acexy_starts_total', 'Stream starts, by outcome', { outcome: START_OUTCOMES });
  private readonly firstByte = histogram('acexy_first_byte_seconds', 'Time from the reply of an engine to the first packet', START_BUCKETS);
  private readonly startTimes = histogram('acexy_start_seconds', 'Duration of a stream start, by outcome', START_BUCKETS, ['outcome']);
  private readonly joins = histogram(
    'acexy_join_seconds',
    'Time from the request of a viewer to its first bytes, by whether the stream was already playing',
    JOIN_BUCKETS,
    ['stream'],
  );
  private readonly ends = counter('acexy_streams_ended_total', 'Streams that ended, by cause', ['cause']);
  private readonly viewerEnds = counter('acexy_viewers_ended_total', 'Viewers that ended after they joined', { reason: VIEWER_ENDS });
  private readonly rejections = counter(
    'acexy_viewers_refused_total',
    'Viewers rejected because a limit was reached: stream, the limit of one stream; all, the limit of the proxy; memory, that of stream buffers',
    { full: VIEWER_LIMITS },
  );
  private readonly stops = counter('acexy_engine_stops_total', 'Engine sessions closed, by outcome of the stop', {
    outcome: STOP_OUTCOMES,
  });
  private readonly failovers = counter('acexy_failovers_total', 'Failovers, by cause and outcome', {
    cause: LOSS_CAUSES,
    outcome: FAILOVER_OUTCOMES,
  });
  private readonly standbys = counter('acexy_standby_outcomes_total', 'Standby engines requested while a source was silent, by outcome', {
    outcome: STANDBY_OUTCOMES,
  });
  private readonly hedges = counter(
    'acexy_hedges_total',
    'Second engines started because the first was slow, by whether they were faster',
    {
      outcome: HEDGE_OUTCOMES,
    },
  );
  private readonly exceptions = counter('acexy_exceptions_total', 'Exceptions in the code of the proxy, by what they ended', {
    ended: EXCEPTION_PARTS,
  });
  private readonly gaps = histogram(
    'acexy_failover_gap_seconds',
    'Time from the last byte of a lost engine to the first byte of the next one',
    GAP_BUCKETS,
  );
  private readonly calls = histogram('acexy_orchestrator_call_seconds', 'Duration of calls to the orchestrator', CALL_BUCKETS, [
    'endpoint',
    'outcome',
  ]);

  /** Registers the metrics of streams that are read at the scrape. */
  observeStreams(sources: StreamSources): void {
    const broadcasts = () => sources.snapshots().flatMap(({ broadcast }) => broadcast ?? []);
    const viewers = () => broadcasts().flatMap((broadcast) => broadcast.viewers);
    gauge('acexy_sessions', 'Streams by state', ['state'], (set) => {
      for (const state of ['starting', 'playing', 'lingering', 'failing_over', 'stopping'] as const) {
        set(sources.snapshots().filter((session) => session.state === state).length, { state });
      }
    });
    gauge('acexy_viewers', 'Viewers, including those that wait for the start of their stream', [], (set) =>
      set(sources.snapshots().reduce((sum, session) => sum + session.viewers, 0)),
    );
    gauge(
      'acexy_viewer_lag_seconds_max',
      'Seconds that the slowest viewer is behind the live edge',
      [],
      (set) => set(Math.max(0, ...viewers().map(({ lagMs }) => lagMs / 1000))),
      'max',
    );
    gauge('acexy_standby_engines', 'Engines leased as standby for streams whose source is silent', [], (set) =>
      set(sources.snapshots().filter(({ standbyEngine }) => standbyEngine !== null).length),
    );
    gauge('acexy_buffer_bytes', 'Bytes of stream in the buffers', [], (set) =>
      set(broadcasts().reduce((sum, { ring }) => sum + ring.bytes, 0)),
    );
    gauge('acexy_buffer_used_bytes', 'Bytes of all streams in memory, HLS segments included', [], (set) => set(sources.budget.usedBytes));
    gauge('acexy_buffer_budget_bytes', 'Limit of acexy_buffer_used_bytes', [], (set) => set(sources.budget.plan.bufferBytes));
    gauge('acexy_memory_limit_bytes', 'Memory that the proxy may use', [], (set) => set(sources.budget.plan.memoryBytes));
    gauge('acexy_memory_needed_bytes', 'Memory that the proxy needs when its stream buffers are full', [], (set) =>
      set(sources.budget.plan.neededBytes),
    );
    gauge('acexy_hls_bytes', 'Bytes of HLS segments; the newest ones are also counted in acexy_buffer_bytes', [], (set) =>
      set(sources.hlsBytes()),
    );
    total('acexy_engine_bytes_total', 'Bytes received from engines', () =>
      broadcasts().reduce((sum, { bytesIn }) => sum + bytesIn, this.bytesInOfEnded),
    );
    total('acexy_viewer_bytes_total', 'Bytes of stream sent to viewers', () =>
      viewers().reduce((sum, { bytesSent }) => sum + bytesSent, this.bytesSentToGone),
    );
    total('acexy_viewer_skips_total', 'Skips of slow viewers', () => viewers().reduce((sum, { skips }) => sum + skips, this.skipsOfGone));
  }

  /** Registers the metrics of the orchestrator that are read at the scrape. */
  observeOrchestrator(sources: OrchestratorSources): void {
    gauge('acexy_orchestrator_away', '1 while the orchestrator is unreachable', [], (set) =>
      set(sources.orchestratorState() === 'away' ? 1 : 0),
    );
    gauge('acexy_orchestrator_unauthorized', '1 while the orchestrator rejects the key of the proxy', [], (set) =>
      set(sources.orchestratorState() === 'unauthorized' ? 1 : 0),
    );
    gauge('acexy_events_unsent', 'Events not yet sent to an orchestrator without lease API', [], (set) => set(sources.unsentEvents()));
  }

  /** The bytes of HLS viewers are counted by {@link hlsSegmentSent}. */
  viewerEnded(reason: ViewerEndReason, { bytesSent, skips } = { bytesSent: 0, skips: 0 }): void {
    this.viewerEnds.inc({ reason });
    this.bytesSentToGone += bytesSent;
    this.skipsOfGone += skips;
  }

  hlsSegmentSent(bytes: number): void {
    this.bytesSentToGone += bytes;
  }

  /** @param stream whether it was already playing, or had to be started */
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
        this.rejections.inc({ full: event.limit });
        return;
      case 'exception':
        this.exceptions.inc({ ended: event.ended });
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
