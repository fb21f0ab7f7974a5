/** The process that viewers connect to when there are workers: reads the head of a request and gives the connection to the process that serves it. */
import type { Server as HttpServer } from 'node:http';
import { type Server, type Socket, createServer } from 'node:net';
import type { Log, RefusedConnections, RunnableService } from '@acexy/service-kit';
import { readHead, targetOf } from './request-head.js';
import { type WorkerRoute, routeOf } from './route.policy.js';
import { serveOneRequest, serveSocket } from './served-socket.js';
import type { WorkerFleet } from './worker-fleet.js';
import type { WorkerSessions } from './worker-sessions.js';

/** As an HTTP server answers a head that does not arrive in time. */
const REQUEST_TIMEOUT = 'HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n';

/** The part of the proxy that runs in the front: what has no content, such as health and metrics. */
export interface FrontApp {
  init(): Promise<unknown>;
  close(): Promise<unknown>;
  getHttpServer(): HttpServer;
}

export interface FrontLimits {
  connections: number;
  /** Milliseconds until the head of a request must be complete. */
  headersMs: number;
}

export class Front implements RunnableService {
  private readonly server: Server;
  private readonly own: HttpServer;
  /** Connections in this process. */
  private readonly held = new Set<Socket>();

  constructor(
    private readonly app: FrontApp,
    private readonly fleet: WorkerFleet,
    private readonly sessions: WorkerSessions,
    private readonly limits: FrontLimits,
    private readonly refused: RefusedConnections,
    private readonly log: Log,
  ) {
    this.own = app.getHttpServer();
    fleet.returned.subscribe(({ socket, head, selector }) => {
      socket.on('error', () => undefined).pause();
      this.handOver(socket, head, { to: 'worker', selector, streamId: null }, true);
    });
    this.server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      this.accept(socket).catch((error: unknown) => {
        this.log.error('connection failed', { error });
        socket.destroy();
      });
    });
  }

  /** The port comes first: if another program has it, nothing is started. Connections wait for the workers. */
  async listen(port: number, host?: string): Promise<void> {
    await this.app.init();
    serveOneRequest(this.own);
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(port, host, () => {
        this.server.off('error', reject);
        resolve();
      });
    });
    await this.fleet.start();
    this.sessions.rejecting = null;
  }

  /** The app stops the workers first: until they have ended, new viewers get an answer. */
  async close(): Promise<void> {
    await this.app.close();
    this.server.close();
    for (const socket of this.held) socket.destroy();
  }

  private async accept(socket: Socket): Promise<void> {
    // The end of the connection follows.
    socket.on('error', () => undefined);
    const open = this.fleet.workers.reduce((sum, { load }) => sum + load, this.held.size);
    if (open >= this.limits.connections) {
      socket.destroy();
      this.refused.add();
      return;
    }
    this.held.add(socket);
    socket.once('close', () => this.held.delete(socket));
    const { outcome, bytes } = await readHead(socket, this.limits.headersMs);
    switch (outcome) {
      case 'gone':
        socket.destroy();
        return;
      case 'late':
        socket.end(REQUEST_TIMEOUT, () => socket.destroy());
        return;
      case 'other':
        serveSocket(this.own, socket, bytes);
        return;
      case 'complete':
        this.route(socket, bytes);
        return;
      default: {
        const unknown: never = outcome;
        throw new TypeError(`unknown outcome: ${String(unknown)}`);
      }
    }
  }

  private route(socket: Socket, head: Buffer): void {
    const route = routeOf(targetOf(head) ?? '/');
    if (route.to === 'front') serveSocket(this.own, socket, head);
    else this.handOver(socket, head, route, false);
  }

  private handOver(socket: Socket, head: Buffer, route: WorkerRoute, returned: boolean): void {
    const worker = this.fleet.workers[this.sessions.ownerOf(route)];
    const answerHere = (): void => {
      this.held.add(socket);
      serveSocket(this.own, socket, head);
    };
    if (worker.isGone) {
      answerHere();
      return;
    }
    this.held.delete(socket);
    worker.handOver(socket, head, answerHere, returned);
  }
}
