/** The one orchestrator double that speaks HTTP. It leases its engines in their order, so that a test knows which engine is next. */
import type { EngineState } from '@acexy/contracts';
import { randomUUID } from 'node:crypto';
import { engineState } from './engine-state.js';
import { ScriptedServer, type SeenRequest, replyJson } from './scripted-server.js';

interface Reply {
  status: number;
  body: unknown;
}

export interface OrchestratorServerOptions {
  engines?: readonly { id: string; port: number }[];
  /** `yes`: leases and reports, as ours. 404 or 405: an older orchestrator without them, which answers a lease with this status. */
  leases?: 'yes' | 404 | 405;
}

export class OrchestratorServer {
  /** Engines that proxies must leave: each report gets a leave order for them. */
  readonly leave = new Set<string>();
  readonly engines: EngineState[];
  /** The key that calls other than GET need; null: none. */
  key: string | null = null;
  /** What it answers to a request for one more engine. */
  provision: () => Reply = () => ({ status: 503, body: { detail: 'no' } });
  private readonly granted = new Map<string, string>();
  private readonly leases: 'yes' | 404 | 405;
  private readonly server = new ScriptedServer((response, request) => {
    const { status, body } = this.answer(request);
    replyJson(response, status, body);
  });

  constructor({ engines = [], leases = 'yes' }: OrchestratorServerOptions = {}) {
    this.engines = engines.map(({ id, port }) => engineState(id, { host: '127.0.0.1', port }));
    this.leases = leases;
  }

  async listen(port?: number): Promise<void> {
    await this.server.listen(port);
  }

  async close(): Promise<void> {
    await this.server.kill();
  }

  get url(): string {
    return this.server.url;
  }

  get requests(): readonly SeenRequest[] {
    return this.server.requests;
  }

  /** The bodies of all requests of this path. */
  bodiesOf(path: string): unknown[] {
    return this.requests.filter((request) => pathOf(request) === path).map(({ body }) => body);
  }

  /** Engines that are leased. */
  get leased(): ReadonlySet<string> {
    return new Set(this.granted.values());
  }

  private answer(request: SeenRequest): Reply {
    const call = `${request.method} ${pathOf(request)}`;
    if (this.key !== null && request.method !== 'GET' && request.headers.authorization !== `Bearer ${this.key}`)
      return { status: 401, body: { detail: 'wrong key' } };
    const body = (request.body ?? {}) as Record<string, unknown>;
    if (call === 'GET /engines') return { status: 200, body: this.engines };
    if (call === 'GET /streams') return { status: 200, body: [] };
    if (call.startsWith('POST /events/')) return { status: 200, body: { updated: true, stream: null } };
    if (call === 'POST /provision/acestream') return this.provision();
    if (this.leases === 'yes') {
      if (call === 'POST /engines/lease') return this.lease(body);
      if (call.startsWith('DELETE /engines/lease/')) {
        this.granted.delete(call.slice('DELETE /engines/lease/'.length));
        return { status: 200, body: {} };
      }
      if (/^PUT \/proxies\/[^/]+\/report$/.test(call)) return this.report(body);
    }
    const status = this.leases !== 'yes' && call.includes(' /engines/') ? this.leases : 404;
    return { status, body: { detail: 'Not Found' } };
  }

  private lease({ exclude }: Record<string, unknown>): Reply {
    const taken = this.leased;
    const engine = this.engines.find(
      ({ container_id: id }) => !taken.has(id) && !(exclude as string[]).includes(id) && !this.leave.has(id),
    );
    if (engine === undefined) return { status: 202, body: { state: 'waiting', retry_after_ms: 100, position: 1, provisioning: 0 } };
    const leaseId = randomUUID();
    this.granted.set(leaseId, engine.container_id);
    const expires = new Date(Date.now() + 20_000).toISOString();
    return {
      status: 200,
      body: { lease_id: leaseId, engine, expires_at: expires, reason: 'the next in order', considered: [] },
    };
  }

  private report({ boot_id, seq }: Record<string, unknown>): Reply {
    const deadline = new Date(Date.now() + 60_000).toISOString();
    const leave = [...this.leave].map((container_id) => ({ container_id, reason: 'requested by the test', deadline }));
    return { status: 200, body: { boot_id, ack_seq: seq, leave } };
  }
}

function pathOf({ path }: SeenRequest): string {
  return path.split('?')[0];
}
