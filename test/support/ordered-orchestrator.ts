/** An orchestrator that leases its engines in their order, the first that is free and not excluded: so a test knows which engine is asked next. */
import { randomUUID } from 'node:crypto';
import { type IncomingMessage, type Server, createServer } from 'node:http';

export interface OrderedEngine {
  readonly id: string;
  readonly port: number;
}

export class OrderedOrchestrator {
  /** Engines that proxies are told to leave. */
  readonly leave = new Set<string>();
  private readonly leases = new Map<string, string>();
  private readonly server: Server;

  constructor(private readonly engines: readonly OrderedEngine[]) {
    this.server = createServer((request, response) => {
      void bodyOf(request).then((body) => {
        const { status, reply } = this.answer(request.method ?? '', new URL(request.url ?? '/', 'http://x').pathname, body);
        response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(reply));
      });
    });
  }

  async listen(port: number): Promise<void> {
    await new Promise<void>((resolve) => this.server.listen(port, '127.0.0.1', resolve));
  }

  /** Engines that are leased. */
  get leased(): ReadonlySet<string> {
    return new Set(this.leases.values());
  }

  close(): void {
    this.server.closeAllConnections();
    this.server.close();
  }

  private answer(method: string, path: string, body: Record<string, unknown>): { status: number; reply: unknown } {
    if (method === 'GET' && path === '/engines') return { status: 200, reply: this.engines.map(stateOf) };
    if (method === 'POST' && path === '/engines/lease') return this.lease(body);
    if (method === 'DELETE' && path.startsWith('/engines/lease/')) {
      this.leases.delete(path.slice('/engines/lease/'.length));
      return { status: 200, reply: {} };
    }
    if (method === 'PUT' && path.endsWith('/report')) {
      const deadline = new Date(Date.now() + 60_000).toISOString();
      const leave = [...this.leave].map((container_id) => ({ container_id, reason: 'wanted back by the test', deadline }));
      return { status: 200, reply: { boot_id: body.boot_id, ack_seq: body.seq, leave } };
    }
    return { status: 200, reply: {} };
  }

  private lease({ exclude }: Record<string, unknown>): { status: number; reply: unknown } {
    const taken = this.leased;
    const engine = this.engines.find(({ id }) => !taken.has(id) && !(exclude as string[]).includes(id) && !this.leave.has(id));
    if (engine === undefined) return { status: 202, reply: { state: 'waiting', retry_after_ms: 100, position: 1, provisioning: 0 } };
    const leaseId = randomUUID();
    this.leases.set(leaseId, engine.id);
    const expires = new Date(Date.now() + 20_000).toISOString();
    return {
      status: 200,
      reply: { lease_id: leaseId, engine: stateOf(engine), expires_at: expires, reason: 'the next in order', considered: [] },
    };
  }
}

function stateOf({ id, port }: OrderedEngine): Record<string, unknown> {
  const moment = new Date().toISOString();
  return {
    ...{
      container_id: id,
      container_name: id,
      host: '127.0.0.1',
      port,
      labels: {},
      forwarded: false,
      first_seen: moment,
      last_seen: moment,
    },
    ...{ streams: [], health_status: 'healthy', last_health_check: null, last_stream_usage: null },
  };
}

async function bodyOf(request: IncomingMessage): Promise<Record<string, unknown>> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
}
