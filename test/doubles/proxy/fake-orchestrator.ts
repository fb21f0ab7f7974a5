/** An orchestrator in memory: the test sets its answers, and it records its requests. */
import type {
  EngineState,
  LeaseRequest,
  ProvisionAcestreamResponse,
  ProxyReport,
  ReportAnswer,
  StreamEndedEvent,
  StreamStartedEvent,
} from '@acexy/contracts';
import { CallNotSupportedError, type LeaseAnswer, type OrchestratorClient, OrchestratorUnreachableError } from '@acexy/orchestrator-client';
import { SILENT_LOG } from '@acexy/service-kit';
import type { Clock } from '@acexy/service-kit/primitives';
import type { SelectRequest } from '../../../apps/proxy/src/selection/engine-selector.js';
import type { OrchestratorContext } from '../../../apps/proxy/src/selection/injection-tokens.js';
import { OrchestratorLink } from '../../../apps/proxy/src/selection/orchestrator-link.js';

export class FakeOrchestrator implements OrchestratorClient {
  /** `unreachable`: refuses every connection. `foreign`: has neither leases nor reports. */
  mode: 'ours' | 'foreign' | 'unreachable' = 'ours';
  list: EngineState[] = [];
  /** The answers to the next lease requests; the last one is repeated. */
  leases: (LeaseAnswer | Error | Promise<LeaseAnswer>)[] = [];
  provisioned: ProvisionAcestreamResponse | Error = new Error('no provisioning in this test');
  leave: ReportAnswer['leave'] = [];
  enginesWanted = 0;
  eventFails: Error | null = null;
  readonly asked: LeaseRequest[] = [];
  readonly released: string[] = [];
  readonly reports: ProxyReport[] = [];
  readonly events: string[] = [];
  readonly calls: string[] = [];

  async lease(request: LeaseRequest): Promise<LeaseAnswer> {
    this.called('lease', 'ours only');
    this.asked.push(request);
    const answer = this.leases.length > 1 ? this.leases.shift()! : this.leases[0];
    if (answer instanceof Error) throw answer;
    return answer;
  }

  async releaseLease(leaseId: string): Promise<void> {
    this.called('release', 'ours only');
    this.released.push(leaseId);
  }

  /** The ids under which reports came. */
  readonly reporters: string[] = [];
  /** Ids that another proxy has too. */
  readonly copiedIds = new Set<string>();

  async report(proxyId: string, report: ProxyReport): Promise<ReportAnswer> {
    this.called('report', 'ours only');
    this.reports.push(structuredClone(report));
    this.reporters.push(proxyId);
    const identity = this.copiedIds.has(proxyId) ? { identity: 'replace' as const } : {};
    return { ...identity, boot_id: report.boot_id, ack_seq: report.seq, leave: this.leave, engines_wanted: this.enginesWanted };
  }

  async engines(): Promise<{ engines: EngineState[]; stale: boolean }> {
    this.called('engines');
    return { engines: this.list, stale: false };
  }

  async provisionAcestream(): Promise<ProvisionAcestreamResponse> {
    this.called('provision');
    if (this.provisioned instanceof Error) throw this.provisioned;
    return this.provisioned;
  }

  async streamStarted({ labels }: StreamStartedEvent): Promise<void> {
    this.event(`started ${labels?.stream_id}`);
  }

  async streamEnded({ stream_id: id }: StreamEndedEvent): Promise<void> {
    this.event(`ended ${id}`);
  }

  close(): void {
    this.mode = 'unreachable';
  }

  private event(text: string): void {
    this.called('event');
    if (this.eventFails) throw this.eventFails;
    this.events.push(text);
  }

  private called(call: string, needs?: 'ours only'): void {
    this.calls.push(call);
    if (this.mode === 'unreachable') throw new OrchestratorUnreachableError(`${call}: ECONNREFUSED`);
    if (this.mode === 'foreign' && needs) throw new CallNotSupportedError(call, 404);
  }
}

export function orchestratorContext(client: FakeOrchestrator, clock: Clock): OrchestratorContext {
  const identity = {
    proxyId: '11111111-1111-4111-8111-111111111111',
    bootId: '22222222-2222-4222-8222-222222222222',
    replace() {
      this.proxyId = '33333333-3333-4333-8333-333333333333';
    },
    release: () => undefined,
  };
  return { client, link: new OrchestratorLink(clock, SILENT_LOG), identity, clock, log: SILENT_LOG, random: () => 0.5 };
}

export function granted(leaseId: string, engine: EngineState): LeaseAnswer {
  const lease = { lease_id: leaseId, engine, expires_at: '2026-01-01T00:00:20Z', reason: 'test', considered: [] };
  return { kind: 'granted', lease };
}

export function waiting(retryAfterMs = 500, lastStartFailure: string | null = null): LeaseAnswer {
  return {
    kind: 'waiting',
    waiting: { state: 'waiting', retry_after_ms: retryAfterMs, position: 1, provisioning: 1, last_start_failure: lastStartFailure },
  };
}

/** A request with a deadline 60 s after time 0 of the clock. */
export function selectRequest(changes: Partial<SelectRequest> = {}): SelectRequest {
  return {
    streamId: 'stream-1',
    content: { keyType: 'content_id', key: 'a'.repeat(40), infohash: null },
    exclude: [],
    purpose: 'start',
    deadline: 60_000,
    signal: new AbortController().signal,
    onNoneFree: () => false,
    ...changes,
  };
}
