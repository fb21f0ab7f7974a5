import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, request, type RequestOptions, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dockerLines } from '../../apps/orchestrator/src/runtime/docker/docker-lines.js';
import type { DockerCall } from './documented-docker-calls.js';

/** Docker Engine 29 accepts no older clients. */
const OLDEST_API = 44;
/** The API version that the machine's Docker Engine understands, whatever it is. */
const REAL_API = '/v1.41';

/** A Docker socket that forwards calls to the machine's Docker and records them. With a list of calls, it forwards only those. */
export class RecordingDockerProxy {
  private readonly folder = mkdtempSync(join(tmpdir(), 'docker-proxy-'));
  private readonly socket = join(this.folder, 'docker.sock');
  /** The calls in order, for example `GET /containers/json`, without version and query. With a list of calls, their documented names. */
  readonly calls: string[] = [];
  /** Calls that were rejected. */
  readonly rejected: string[] = [];
  private readonly server = createServer((incoming, outgoing) => {
    const method = incoming.method ?? '';
    const path = (incoming.url ?? '').replace(/^\/v[\d.]+/, '').replace(/\?.*/, '');
    const named = this.allowed?.find((call) => call.matches(method, path));
    if (this.allowed && !named) {
      this.rejected.push(`${method} ${path}`);
      outgoing
        .writeHead(403, { 'Content-Type': 'application/json' })
        .end(JSON.stringify({ message: 'rejected by the filter of this test' }));
      return;
    }
    const version = /^\/v1\.(\d+)/.exec(incoming.url ?? '');
    if (this.asEngine29 && version && Number(version[1]) < OLDEST_API) {
      this.rejected.push(`${method} ${incoming.url}`);
      const message = `client version 1.${version[1]} is too old. Minimum supported API version is 1.${OLDEST_API}, please upgrade your client to a newer version`;
      outgoing.writeHead(400, { 'Content-Type': 'application/json' }).end(JSON.stringify({ message }));
      return;
    }
    this.calls.push(named?.name ?? `${method} ${path.replace(/^\/(containers)\/(?!json|create)[^/]+/, '/$1/ID')}`);
    const onward = request(
      {
        ...this.docker,
        path: this.asEngine29 ? incoming.url?.replace(/^\/v[\d.]+/, REAL_API) : incoming.url,
        method: incoming.method,
        headers: incoming.headers,
        agent: false,
      },
      (reply) => {
        outgoing.writeHead(reply.statusCode ?? 502, reply.headers);
        outgoing.flushHeaders();
        if (this.asEngine29 && path === '/events') void relayEvents(reply, outgoing);
        else reply.pipe(outgoing);
      },
    );
    onward.once('error', (error) => outgoing.destroy(error));
    outgoing.once('close', () => onward.destroy());
    incoming.pipe(onward);
  });

  private constructor(
    private readonly allowed: readonly DockerCall[] | null,
    private readonly asEngine29: boolean,
    private readonly docker: RequestOptions,
  ) {}

  /**
   * @param allowed the calls to forward; null forwards all
   * @param asEngine29 answers as Docker Engine 29 does (API 1.52): events without `id`, `status` and `from`, and no API version below 1.44
   * @param docker where the calls go
   */
  static async open(
    allowed: readonly DockerCall[] | null = null,
    { asEngine29 = false, docker = { socketPath: '/var/run/docker.sock' } as RequestOptions } = {},
  ): Promise<RecordingDockerProxy> {
    const dockerProxy = new RecordingDockerProxy(allowed, asEngine29, docker);
    dockerProxy.server.listen(dockerProxy.socket);
    await once(dockerProxy.server, 'listening');
    return dockerProxy;
  }

  /** Value for DOCKER_HOST. */
  get host(): string {
    return `unix://${this.socket}`;
  }

  /** Number of times that each call was made. */
  get counts(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const call of this.calls) counts[call] = (counts[call] ?? 0) + 1;
    return counts;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Sends each event as API 1.52 does, until the connection ends. */
async function relayEvents(reply: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  try {
    for await (const line of dockerLines(reply)) {
      const { id: _id, status: _status, from: _from, ...event } = JSON.parse(line) as Record<string, unknown>;
      outgoing.write(`${JSON.stringify(event)}\n`);
    }
    outgoing.end();
  } catch {
    outgoing.destroy();
  }
}
