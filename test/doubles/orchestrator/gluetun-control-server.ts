import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';

/** A control server as Gluetun's, in this process, for unit tests. */
export class ControlServer {
  /** Answers by path; a number is a status without a body. Other paths are refused as Gluetun refuses what its role does not list. */
  readonly answers = new Map<string, object | string | number>();
  readonly requests: { path: string; headers: Record<string, string | string[] | undefined> }[] = [];
  private readonly server: Server;

  private constructor() {
    this.server = createServer(({ url = '', headers }, response) => {
      this.requests.push({ path: url, headers });
      const answer = this.answers.get(url) ?? 401;
      if (typeof answer === 'number') response.writeHead(answer).end();
      else response.end(typeof answer === 'string' ? answer : JSON.stringify(answer));
    });
  }

  static async start(): Promise<ControlServer> {
    const control = new ControlServer();
    control.server.listen(0, '127.0.0.1');
    await once(control.server, 'listening');
    return control;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** What a VPN says that is up and forwards a port (0: none yet). */
  up(port = 51_413): void {
    this.answers.set('/v1/vpn/status', { status: 'running' });
    this.answers.set('/v1/portforward', { port });
    this.answers.set('/v1/publicip/ip', { public_ip: '203.0.113.7' });
  }

  down(): void {
    this.answers.set('/v1/vpn/status', { status: 'stopped' });
    this.answers.set('/v1/portforward', { port: 0 });
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }
}
