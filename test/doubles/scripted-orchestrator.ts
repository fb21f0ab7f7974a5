import type { EngineState, LeaseRequest, ProxyReport, StreamStartedEvent } from '@acexy/contracts';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { expect, onTestFinished } from 'vitest';
import {
  HttpOrchestratorClient,
  type OrchestratorCall,
  type OrchestratorClient,
  type OrchestratorClientOptions,
} from '../../libs/orchestrator-client/src/client.js';

export interface SeenRequest {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  body: unknown;
}

/** How one request is answered; the number counts them from 0. */
export type Answer = (response: ServerResponse, request: SeenRequest, number: number) => void;

/** A real HTTP server on a free port that counts what arrives and answers as told; it ends with the test. */
export class ScriptedOrchestrator {
  readonly requests: SeenRequest[] = [];
  readonly sockets = new Set<Socket>();
  private server: Server | null = null;
  private port = 0;

  constructor(public answer: Answer) {}

  static async listening(answer: Answer): Promise<ScriptedOrchestrator> {
    const orchestrator = new ScriptedOrchestrator(answer);
    onTestFinished(() => orchestrator.die());
    await orchestrator.rise();
    return orchestrator;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** As a killed process: every connection reset, nobody listening. */
  async die(): Promise<void> {
    const { server } = this;
    if (!server) return;
    this.server = null;
    const closed = once(server, 'close');
    server.close();
    this.sockets.forEach((socket) => socket.resetAndDestroy());
    await closed;
  }

  /** Listens again, on the same port. */
  async rise(): Promise<void> {
    const server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        const body: unknown = text === '' ? undefined : JSON.parse(text);
        const seen: SeenRequest = { method: request.method ?? '', path: request.url ?? '', headers: request.headers, body };
        this.answer(response, seen, this.requests.push(seen) - 1);
      });
    });
    server.on('connection', (socket: Socket) => {
      this.sockets.add(socket);
      socket.once('close', () => this.sockets.delete(socket));
    });
    server.listen(this.port, '127.0.0.1');
    await once(server, 'listening');
    this.port = (server.address() as AddressInfo).port;
    this.server = server;
  }
}

export function reply(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}

export function reset(response: ServerResponse): void {
  response.socket?.resetAndDestroy();
}

/** A client whose waits between retries are none, that ends with the test, and the calls it told of. */
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

export function engine(id: string): EngineState {
  return {
    container_id: id,
    container_name: `acestream-${id}`,
    host: '127.0.0.1',
    port: 19000,
    labels: { 'acestream.http_port': '19000' },
    forwarded: false,
    first_seen: '2026-01-01T12:00:00.000Z',
    last_seen: '2026-01-01T12:00:00.000Z',
    streams: [],
    health_status: 'healthy',
    last_health_check: null,
    last_stream_usage: null,
  };
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

/** A refusal as the orchestrator words it in full. */
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

/** What a call fails with; a call that does not fail fails the test. */
export async function failure(call: Promise<unknown>): Promise<Error> {
  return call.then(
    (value) => expect.unreachable(`resolved with ${JSON.stringify(value)}`),
    (error: unknown) => error as Error,
  );
}
