import { createServer, connect, type Server, type Socket } from 'node:net';

const CHECK_EVERY_MS = 200;

/** A load balancer for several proxies: new connections go in turn to the proxies that are ready (`/health/ready`). */
export class Balancer {
  private readonly server: Server;
  private readonly ready = new Set<number>();
  private readonly sockets = new Set<Socket>();
  private readonly checks: NodeJS.Timeout;
  private turn = 0;

  private constructor(
    private readonly backends: readonly number[],
    readonly port: number,
  ) {
    this.server = createServer((client) => this.forward(client));
    this.checks = setInterval(() => void this.check(), CHECK_EVERY_MS);
  }

  static async listen(backends: readonly number[], port: number): Promise<Balancer> {
    const balancer = new Balancer(backends, port);
    await balancer.check();
    await new Promise<void>((resolve) => balancer.server.listen(port, '127.0.0.1', resolve));
    return balancer;
  }

  /** Backends that get new connections. */
  get inRotation(): number[] {
    return [...this.ready].sort();
  }

  close(): void {
    clearInterval(this.checks);
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
  }

  private async check(): Promise<void> {
    await Promise.all(
      this.backends.map(async (port) => {
        const ok = await fetch(`http://127.0.0.1:${port}/health/ready`).then(
          (response) => response.ok,
          () => false,
        );
        if (ok) this.ready.add(port);
        else this.ready.delete(port);
      }),
    );
  }

  private forward(client: Socket): void {
    const ports = this.inRotation;
    if (ports.length === 0) {
      client.destroy();
      return;
    }
    const backend = connect(ports[this.turn++ % ports.length], '127.0.0.1');
    for (const [one, other] of [
      [client, backend],
      [backend, client],
    ]) {
      this.sockets.add(one);
      one.pipe(other);
      one.on('error', () => other.destroy());
      one.once('close', () => {
        this.sockets.delete(one);
        other.destroySoon();
      });
    }
  }
}
