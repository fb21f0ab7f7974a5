/** One listening port that can be opened, closed with all its connections, and opened again. */
import type { Server as HttpServer } from 'node:http';
import { type Server, type Socket } from 'node:net';

/** A port of the engine is in use or not allowed. */
export class PortError extends Error {
  readonly code = 'port_unavailable';
}

export class Listener {
  private readonly sockets = new Set<Socket>();

  constructor(
    readonly name: string,
    private readonly server: Server | HttpServer,
    private readonly host: string,
    private requested: number,
  ) {
    server.on('connection', (socket: Socket) => {
      this.sockets.add(socket);
      socket.once('close', () => this.sockets.delete(socket));
      // A client that disconnects is not an error of the engine; the owner of the socket gets 'close'.
      socket.on('error', () => socket.destroy());
    });
  }

  /** The real port, also if 0 (any) was requested. */
  get port(): number {
    const address = this.server.address();
    return address !== null && typeof address === 'object' ? address.port : this.requested;
  }

  /** @throws PortError */
  open(): Promise<void> {
    return new Promise((resolve, reject) => {
      const failed = (error: NodeJS.ErrnoException) => {
        reject(new PortError(`cannot listen on ${this.name} port ${this.requested} of ${this.host}: ${error.code ?? error.message}`));
      };
      this.server.once('error', failed);
      this.server.listen(this.requested, this.host, () => {
        this.server.removeListener('error', failed);
        // If any port was requested, it opens on the same one again.
        this.requested = this.port;
        resolve();
      });
    });
  }

  /** Stops listening and closes every connection. */
  close(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      if (this.server.listening) this.server.close(() => resolve());
      else resolve();
    });
    for (const socket of this.sockets) socket.destroy();
    return closed;
  }
}
