import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A Docker socket that hands every call on to the machine's Docker and writes down what was asked. */
export class DockerTap {
  private readonly folder = mkdtempSync(join(tmpdir(), 'docker-tap-'));
  private readonly socket = join(this.folder, 'docker.sock');
  /** The calls in their order, such as `GET /containers/json`, without version and query. */
  readonly calls: string[] = [];
  private readonly server = createServer((incoming, outgoing) => {
    const path = (incoming.url ?? '').replace(/^\/v[\d.]+/, '').replace(/\?.*/, '');
    this.calls.push(`${incoming.method} ${path.replace(/^\/(containers)\/(?!json|create)[^/]+/, '/$1/ID')}`);
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

  static async open(): Promise<DockerTap> {
    const tap = new DockerTap();
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
