import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';

export type DockerCall = 'create' | 'start' | 'list' | 'remove' | 'stop';

/** Fault of a call: an error reply, no reply, or a delayed reply. */
export type DockerFault =
  | { status: number; message: string }
  | { hangs: true; /** Docker carries out the call after this many milliseconds. */ doneAfterMs?: number }
  | { afterMs: number };

export interface ScriptedImage {
  present: boolean;
  /** The lines of the reply to a pull. */
  pull: readonly string[];
  /** Whether the image is present afterwards. */
  pulled: boolean;
  /** The connection breaks before the end of the reply. */
  breaksOff?: boolean;
}

interface Container {
  id: string;
  name: string;
  state: 'created' | 'running';
  image: string;
  labels: Record<string, string>;
  networkMode?: string;
}

interface CreateBody {
  Image: string;
  Labels: Record<string, string>;
  HostConfig?: { NetworkMode?: string };
}

/** The part of a Docker Engine that starting and removing engines needs, on its own socket, with scripted faults. */
export class ScriptedDocker {
  private readonly folder = mkdtempSync(join(tmpdir(), 'scripted-docker-'));
  readonly socketPath = join(this.folder, 'docker.sock');
  readonly containers = new Map<string, Container>();
  readonly faults: Partial<Record<DockerCall, DockerFault>> = {};
  /** The image and what a pull of it sends; null: this Docker knows no images. */
  image: ScriptedImage | null = null;
  /** Networks of the container in which the caller runs; null: it runs outside. */
  ownNetworks: string[] | null = null;
  private readonly server = createServer((request, response) => {
    this.answer(request, response).catch((error: unknown) => response.destroy(error as Error));
  });

  static async open(): Promise<ScriptedDocker> {
    const docker = new ScriptedDocker();
    docker.server.listen(docker.socketPath);
    await once(docker.server, 'listening');
    return docker;
  }

  get names(): string[] {
    return [...this.containers.values()].map(({ name }) => name);
  }

  /** Adds a container that is not ours. */
  occupyName(name: string): void {
    this.add({ id: 'other', name, state: 'running', image: 'other', labels: {} });
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await bodyOf(request);
    const url = new URL((request.url ?? '').replace(/^\/v[\d.]+/, ''), 'http://docker');
    const call = callOf(request.method ?? '', url.pathname);
    // The event subscription stays open and sends nothing.
    if (url.pathname === '/events') return void response.writeHead(200).flushHeaders();
    if (this.image !== null && url.pathname.startsWith('/images/')) return this.answerImage(this.image, url.pathname, response);
    if (this.ownNetworks && url.pathname === `/containers/${hostname()}/json`) {
      const networks = Object.fromEntries(this.ownNetworks.map((name) => [name, {}]));
      return reply(response, 200, { NetworkSettings: { Networks: networks } });
    }
    if (call === null) return reply(response, 404, { message: `no ${url.pathname} here` });
    const execute = (): { status: number; body?: unknown } => this.execute(call, url, body);
    const fault = this.faults[call];
    if (fault && 'hangs' in fault) {
      if (fault.doneAfterMs !== undefined) setTimeout(execute, fault.doneAfterMs);
      return;
    }
    if (fault && 'status' in fault) return reply(response, fault.status, { message: fault.message });
    if (fault) await new Promise((resolve) => setTimeout(resolve, fault.afterMs));
    const { status, body: answer } = execute();
    reply(response, status, answer);
  }

  private answerImage(image: ScriptedImage, path: string, response: ServerResponse): void {
    if (path !== '/images/create') return image.present ? reply(response, 200, {}) : reply(response, 404, { message: 'No such image' });
    response.writeHead(200, { 'Content-Type': 'application/json' });
    for (const line of image.pull) response.write(`${line}\n`);
    image.present ||= image.pulled;
    if (image.breaksOff) setImmediate(() => response.destroy());
    else response.end();
  }

  private execute(call: DockerCall, url: URL, body: string): { status: number; body?: unknown } {
    const key = url.pathname.split('/')[2] ?? '';
    const container = [...this.containers.values()].find(({ id, name }) => id === key || name === key);
    switch (call) {
      case 'create': {
        const name = url.searchParams.get('name') ?? '';
        if (this.names.includes(name))
          return { status: 409, body: { message: `Conflict. The container name "/${name}" is already in use` } };
        const { Image: image, Labels: labels, HostConfig } = JSON.parse(body) as CreateBody;
        const id = randomBytes(32).toString('hex');
        this.add({ id, name, state: 'created', image, labels, networkMode: HostConfig?.NetworkMode });
        return { status: 201, body: { Id: id } };
      }
      case 'list':
        return { status: 200, body: [...this.containers.values()].map(listed) };
      case 'start':
        if (!container) return { status: 404, body: { message: `No such container: ${key}` } };
        container.state = 'running';
        return { status: 204 };
      case 'stop':
        return container ? { status: 204 } : { status: 404, body: { message: `No such container: ${key}` } };
      case 'remove':
        if (!container) return { status: 404, body: { message: `No such container: ${key}` } };
        this.containers.delete(container.id);
        return { status: 204 };
      default:
        throw new TypeError(String(call satisfies never));
    }
  }

  private add(container: Container): void {
    this.containers.set(container.id, container);
  }
}

function callOf(method: string, path: string): DockerCall | null {
  if (path === '/containers/create') return 'create';
  if (path === '/containers/json') return 'list';
  if (method === 'DELETE') return 'remove';
  const [, action] = /^\/containers\/[^/]+\/(start|stop)$/.exec(path) ?? [];
  return (action as 'start' | 'stop' | undefined) ?? null;
}

function listed({ id, name, state, image, labels }: Container): object {
  return {
    Id: id,
    Names: [`/${name}`],
    Image: image,
    Created: Math.floor(Date.now() / 1000),
    State: state,
    Status: 'Up 1 second',
    Labels: labels,
    Ports: [],
  };
}

function reply(response: ServerResponse, status: number, body?: unknown): void {
  response.writeHead(status, { 'Content-Type': 'application/json' });
  response.end(body === undefined ? undefined : JSON.stringify(body));
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) text += String(chunk);
  return text;
}
