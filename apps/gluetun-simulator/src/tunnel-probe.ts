import { connect } from 'node:net';
import type { VpnConnection } from './vpn-connection.js';

const INTERVAL_MS = 2_000;
const TIMEOUT_MS = 2_000;
/** Failed probes in a row until the VPN counts as down. A real Gluetun needs almost three minutes. */
const FAILURES = 30;

/** In a container with a real tunnel: the VPN is connected while an address behind the tunnel accepts connections. */
export class TunnelProbe {
  private failures = FAILURES;

  constructor(
    private readonly target: { host: string; port: number },
    private readonly vpn: VpnConnection,
  ) {}

  start(): void {
    const socket = connect(this.target);
    const done = (passed: boolean): void => {
      socket.destroy();
      this.record(passed);
      setTimeout(() => this.start(), INTERVAL_MS);
    };
    socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error('no answer')));
    socket.once('connect', () => done(true)).once('error', () => done(false));
  }

  private record(passed: boolean): void {
    const wasDown = this.failures >= FAILURES;
    this.failures = passed ? 0 : this.failures + 1;
    if (passed && wasDown) this.vpn.connect();
    if (!passed && this.failures === FAILURES) this.vpn.disconnect();
  }
}
