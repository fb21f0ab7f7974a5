/** The simulator's Gluetun control server in this process. A test may replace single answers. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createControlServer } from '../../apps/gluetun-simulator/src/control-server.js';
import { VpnConnection } from '../../apps/gluetun-simulator/src/vpn-connection.js';

const PUBLIC_IP = '203.0.113.7';

export class GluetunControlServer {
  /** Answers that replace the simulator's, by path; a number is a status without a body. */
  readonly answers = new Map<string, object | string | number>();
  readonly requests: { path: string; headers: Record<string, string | string[] | undefined> }[] = [];
  private readonly vpn = new VpnConnection({ connectMs: 0, portDelayMs: 0, forwardedPorts: [], publicIp: PUBLIC_IP });
  /** Until the test sets the state of the VPN, no role may call anything. */
  private simulator = createControlServer(this.vpn, [], '3.41');
  private readonly server = createServer((request, response) => {
    const path = request.url ?? '';
    this.requests.push({ path, headers: request.headers });
    const answer = this.answers.get(path);
    if (answer === undefined) this.simulator.emit('request', request, response);
    else if (typeof answer === 'number') response.writeHead(answer).end();
    else response.end(typeof answer === 'string' ? answer : JSON.stringify(answer));
  });

  static async start(): Promise<GluetunControlServer> {
    const control = new GluetunControlServer();
    control.server.listen(0, '127.0.0.1');
    await once(control.server, 'listening');
    return control;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** The VPN is connected and forwards this port (0: none yet). Every caller is allowed. */
  up(forwardedPort = 51_413): void {
    this.allowAll();
    this.vpn.set({
      tunnel: true,
      status: 'running',
      healthy: true,
      forwardedPorts: forwardedPort === 0 ? [] : [forwardedPort],
      publicIp: PUBLIC_IP,
    });
  }

  down(): void {
    this.allowAll();
    this.vpn.disconnect();
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }

  private allowAll(): void {
    this.simulator = createControlServer(this.vpn, [{ auth: 'none', routes: null }], '3.41');
  }
}
