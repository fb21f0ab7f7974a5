import { createServer, type Server, type Socket } from 'node:net';

/** TCP server behind the tunnel: it accepts connections while the tunnel works. Engines probe it (`SIM_TUNNEL_PROBE`). */
export class TunnelTarget {
  private readonly sockets = new Set<Socket>();
  private readonly server: Server;
  private wanted = false;

  constructor(private readonly port: number) {
    this.server = createServer((socket) => {
      this.sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.once('close', () => this.sockets.delete(socket));
    });
    this.server.on('listening', () => this.settle());
    this.server.on('close', () => this.settle());
  }

  /** If the port is in use, the process ends with an uncaught error event. */
  setReachable(reachable: boolean): void {
    this.wanted = reachable;
    this.settle();
  }

  private settle(): void {
    if (this.wanted && !this.server.listening) this.server.listen(this.port, '127.0.0.1');
    if (this.wanted || !this.server.listening) return;
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
  }
}
