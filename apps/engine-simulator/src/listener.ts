/** One listening port that can be opened, closed with all its connections, and opened again. */
import type { Server as HttpServer } from 'node:http';
import { type Server, type Socket } from 'node:net';

/** A port that the engine needs is taken, or may not be used. */
export class PortError extends Error {
  readonly code = 'port_unavailable';
}

export class Listener {
  private readonly sockets = new Set<Socket>();

  constructor(
    readonly name: string,
    private readonly server: Server | HttpServer,
    private readonly host: string,
    private wanted: number,
  ) {
    server.on('connection', (socket: Socket) => {
      this.sockets.add(socket);
      socket.once('close', () => this.sockets.delete(socket));
      // A client that goes away is no fault of the engine; the socket's owner learns it by 'close'.
      socket.on('error', () => socket.destroy());
    });
  }

  /** The port in use, also where 0 (any) was wanted. */
  get port(): number {
    const address = this.server.address();
    return address !== null && typeof address === 'object' ? address.port : this.wanted;
  }

  get isOpen(): boolean {
    return this.server.listening;
  }

  /** Listens; throws PortError. */
  open(): Promise<void> {
    return new Promise((resolve, reject) => {
      const failed = (error: NodeJS.ErrnoException) => {
        reject(new PortError(`cannot listen on ${this.name} port ${this.wanted} of ${this.host}: ${error.code ?? error.message}`));
      };
      this.server.once('error', failed);
      this.server.listen(this.wanted, this.host, () => {
        this.server.removeListener('error', failed);
        // Any port was wanted: the one given is kept when it opens again.
        this.wanted = this.port;
        resolve();
      });
    });
  }

  /** Stops listening and cuts every connection. */
  close(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      if (this.server.listening) this.server.close(() => resolve());
      else resolve();
    });
    for (const socket of this.sockets) socket.destroy();
    return closed;
  }
}
