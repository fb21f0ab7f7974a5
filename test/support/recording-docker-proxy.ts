import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DockerCall } from './documented-docker-calls.js';

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
    this.calls.push(named?.name ?? `${method} ${path.replace(/^\/(containers)\/(?!json|create)[^/]+/, '/$1/ID')}`);
    const onward = request(
      { socketPath: '/var/run/docker.sock', path: incoming.url, method: incoming.method, headers: incoming.headers, agent: false },
      (reply) => {
        outgoing.writeHead(reply.statusCode ?? 502, reply.headers);
        outgoing.flushHeaders();
        reply.pipe(outgoing);
      },
    );
    onward.once('error', (error) => outgoing.destroy(error));
    outgoing.once('close', () => onward.destroy());
    incoming.pipe(onward);
  });

  private constructor(private readonly allowed: readonly DockerCall[] | null) {}

  /** @param allowed the calls to forward; null forwards all */
  static async open(allowed: readonly DockerCall[] | null = null): Promise<RecordingDockerProxy> {
    const dockerProxy = new RecordingDockerProxy(allowed);
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
