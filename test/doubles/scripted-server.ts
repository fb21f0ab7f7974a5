import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { onTestFinished } from 'vitest';

export interface SeenRequest {
  method: string;
  /** Path and query. */
  path: string;
  headers: IncomingHttpHeaders;
  /** Parsed where it is JSON, else text; undefined where there is none. */
  body: unknown;
}

/** Answers one request; `number` counts the requests from 0. */
export type Answer = (response: ServerResponse, request: SeenRequest, number: number) => void;

/** A real HTTP server on 127.0.0.1 that records its requests and gives answers from the test. */
export class ScriptedServer {
  readonly requests: SeenRequest[] = [];
  readonly sockets = new Set<Socket>();
  private server: Server | null = null;
  private listeningPort = 0;

  constructor(public answer: Answer) {}

  /** Listens on a free port until the running test ends. */
  static async forTest(answer: Answer): Promise<ScriptedServer> {
    const server = new ScriptedServer(answer);
    onTestFinished(() => server.kill());
    await server.listen();
    return server;
  }

  get port(): number {
    return this.listeningPort;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get address(): { host: string; port: number } {
    return { host: '127.0.0.1', port: this.port };
  }

  /** Listens on this port. Default: the previous port, at first a free one. */
  async listen(port = this.listeningPort): Promise<void> {
    const server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const body = parsed(Buffer.concat(chunks).toString());
        const seen: SeenRequest = { method: request.method ?? '', path: request.url ?? '', headers: request.headers, body };
        this.answer(response, seen, this.requests.push(seen) - 1);
      });
    });
    server.on('connection', (socket: Socket) => {
      this.sockets.add(socket);
      socket.once('close', () => this.sockets.delete(socket));
    });
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    this.listeningPort = (server.address() as AddressInfo).port;
    this.server = server;
  }

  /** Stops like a killed process: every connection is reset, and no server listens. */
  async kill(): Promise<void> {
    const { server } = this;
    if (!server) return;
    this.server = null;
    const closed = once(server, 'close');
    server.close();
    this.sockets.forEach((socket) => socket.resetAndDestroy());
    await closed;
  }
}

export function replyJson(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}

function parsed(text: string): unknown {
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
