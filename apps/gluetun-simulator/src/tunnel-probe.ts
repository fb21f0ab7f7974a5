import { connect } from 'node:net';
import { forwardedPortOf } from './nat-pmp.js';
import type { VpnConnection } from './vpn-connection.js';

const INTERVAL_MS = 2_000;
const TIMEOUT_MS = 2_000;
/** Failed probes in a row until the VPN counts as down. A real Gluetun needs almost three minutes. */
const FAILURES = 30;

export interface TunnelProbeOptions {
  /** Address behind the tunnel. */
  host: string;
  port: number;
  /** Whether the host is asked for the forwarded port; otherwise the ports are those of the VPN's options. */
  asksForPort: boolean;
}

/** In a container with a real tunnel: the VPN is connected while an address behind the tunnel accepts connections. */
export class TunnelProbe {
  private failures = FAILURES;

  constructor(
    private readonly options: TunnelProbeOptions,
    private readonly vpn: VpnConnection,
  ) {}

  start(): void {
    void this.round().finally(() => setTimeout(() => this.start(), INTERVAL_MS));
  }

  private async round(): Promise<void> {
    const passed = await this.answers();
    const wasDown = this.failures >= FAILURES;
    this.failures = passed ? 0 : this.failures + 1;
    if (passed && wasDown) this.vpn.connect();
    if (!passed && this.failures === FAILURES) this.vpn.disconnect();
    if (passed && this.options.asksForPort) await this.updatePort();
  }

  private answers(): Promise<boolean> {
    const { host, port } = this.options;
    return new Promise((resolve) => {
      const socket = connect({ host, port });
      const done = (passed: boolean): void => {
        socket.destroy();
        resolve(passed);
      };
      socket.setTimeout(TIMEOUT_MS, () => done(false));
      socket.once('connect', () => done(true)).once('error', () => done(false));
    });
  }

  private async updatePort(): Promise<void> {
    const port = await forwardedPortOf(this.options.host);
    if (port !== null && port !== this.vpn.state.forwardedPorts[0]) this.vpn.set({ forwardedPorts: [port] });
  }
}
