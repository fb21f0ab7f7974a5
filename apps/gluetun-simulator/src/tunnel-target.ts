import { createServer, type Server, type Socket } from 'node:net';

/** What is reached through the tunnel only: it accepts connections while the tunnel carries, and engines probe it (`SIM_TUNNEL_PROBE`). */
export class FarEnd {
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

  /** Throws, as an event of the process, where the port is taken. */
  carry(carries: boolean): void {
    this.wanted = carries;
    this.settle();
  }

  private settle(): void {
    if (this.wanted && !this.server.listening) this.server.listen(this.port, '127.0.0.1');
    if (this.wanted || !this.server.listening) return;
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
  }
}
