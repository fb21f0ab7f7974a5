import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DockerCall } from './documented-docker-calls.js';

/** A Docker socket that hands calls on to the machine's Docker and writes down what was asked; where calls are named, those alone. */
export class RecordingDockerProxy {
  private readonly folder = mkdtempSync(join(tmpdir(), 'docker-tap-'));
  private readonly socket = join(this.folder, 'docker.sock');
  /** The calls in their order, such as `GET /containers/json`, without version and query; by their documented names where calls are named. */
  readonly calls: string[] = [];
  /** Calls that were not handed on. */
  readonly refused: string[] = [];
  private readonly server = createServer((incoming, outgoing) => {
    const method = incoming.method ?? '';
    const path = (incoming.url ?? '').replace(/^\/v[\d.]+/, '').replace(/\?.*/, '');
    const named = this.allowed?.find((call) => call.matches(method, path));
    if (this.allowed && !named) {
      this.refused.push(`${method} ${path}`);
      outgoing
        .writeHead(403, { 'Content-Type': 'application/json' })
        .end(JSON.stringify({ message: 'refused by the filter of this test' }));
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

  /** @param allowed the calls that are handed on; all of them without */
  static async open(allowed: readonly DockerCall[] | null = null): Promise<RecordingDockerProxy> {
    const tap = new RecordingDockerProxy(allowed);
    tap.server.listen(tap.socket);
    await once(tap.server, 'listening');
    return tap;
  }

  /** For DOCKER_HOST. */
  get host(): string {
    return `unix://${this.socket}`;
  }

  /** How often each call was made. */
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
