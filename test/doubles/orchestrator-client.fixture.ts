/** Shared by the tests of the orchestrator's client: a client, requests and answers. */
import type { EngineState, LeaseRequest, ProxyReport, StreamStartedEvent } from '@acexy/contracts';
import type { ServerResponse } from 'node:http';
import { expect, onTestFinished } from 'vitest';
import {
  HttpOrchestratorClient,
  type OrchestratorCall,
  type OrchestratorClient,
  type OrchestratorClientOptions,
} from '../../libs/orchestrator-client/src/client.js';
import { engineState } from './engine-state.js';

export function reset(response: ServerResponse): void {
  response.socket?.resetAndDestroy();
}

/** A client that retries without waiting and ends with the test, with the calls that it reported. */
export function clientOf(
  orchestrator: { url: string },
  options: Partial<OrchestratorClientOptions> = {},
): OrchestratorClient & { calls: OrchestratorCall[] } {
  const calls: OrchestratorCall[] = [];
  const client = new HttpOrchestratorClient({
    url: orchestrator.url,
    apiKey: 'secret-key',
    timeoutMs: 3000,
    engineCacheTtlMs: 5000,
    random: () => 0,
    onCall: (call) => calls.push(call),
    ...options,
  });
  onTestFinished(() => client.close());
  return Object.assign(client, { calls });
}

/** An engine as the list shows it, at an address without a server. */
export function engine(id: string): EngineState {
  return engineState(id, { host: '127.0.0.1', port: 19000, labels: { 'acestream.http_port': '19000' } });
}

export const leaseRequest: LeaseRequest = {
  request_id: '11111111-1111-4111-8111-111111111111',
  proxy_id: '22222222-2222-4222-8222-222222222222',
  boot_id: '33333333-3333-4333-8333-333333333333',
  key_type: 'content_id',
  key: 'dd1e67078381739d14beca697356ab76d49d1a2d',
  exclude: [],
  purpose: 'start',
  wait_ms: 2000,
};

export const granted = {
  lease_id: '44444444-4444-4444-8444-444444444444',
  engine: engine('a'),
  expires_at: '2026-01-01T12:00:20.000Z',
  reason: 'free and healthy',
  considered: [{ container_id: 'a', verdict: 'chosen' }],
};

export const emptyReport: ProxyReport = { boot_id: leaseRequest.boot_id, seq: 7, sessions: [], ended: [] };

export const startedEvent: StreamStartedEvent = {
  engine: { host: '127.0.0.1', port: 19000 },
  stream: { key_type: 'content_id', key: leaseRequest.key },
  session: { playback_session_id: 'p', stat_url: 'http://127.0.0.1:19000/s', command_url: 'http://127.0.0.1:19000/c', is_live: 1 },
};

/** A rejection with all its fields. */
export const blocked = {
  detail: {
    error: 'provisioning_blocked',
    code: 'max_capacity',
    message: 'all 20 engines are busy',
    recovery_eta_seconds: 30,
    can_retry: false,
    should_wait: true,
  },
};

export const provisioned = {
  container_id: 'c',
  container_name: 'n',
  host_http_port: 19001,
  container_http_port: 19001,
  container_https_port: 45001,
};

/** The error of a call. A call that succeeds fails the test. */
export async function failure(call: Promise<unknown>): Promise<Error> {
  return call.then(
    (value) => expect.unreachable(`resolved with ${JSON.stringify(value)}`),
    (error: unknown) => error as Error,
  );
}
