import type { FaultInjector, FaultTarget } from '../faults/fault-injector.js';
import { TunnelProbe } from './tunnel-probe.js';

/** Whether the engine reaches the Internet (setting `connected`, and the probe of `tunnelProbe` if it is set), and the effect on streams. */
export class NetworkState {
  private lostAt: number | null = null;
  private readonly probe = new TunnelProbe(() => this.update());

  constructor(
    private readonly faults: FaultInjector,
    private readonly now: () => number,
  ) {
    this.update();
    faults.onChange(() => this.update());
  }

  /** Result of get_network_connection_status. */
  get connected(): boolean {
    return this.faults.engineSettings.connected && this.probe.up;
  }

  /** Whether nothing of this content arrives: it has no peers, the tunnel is down, or the network has been missing for long enough. */
  isStarving(content: FaultTarget): boolean {
    if (this.faults.settingsOf(content).peers === 0 || !this.probe.up) return true;
    const { starveAfterDisconnectMs } = this.faults.engineSettings;
    return this.lostAt !== null && starveAfterDisconnectMs !== null && this.now() - this.lostAt >= starveAfterDisconnectMs;
  }

  close(): void {
    this.probe.stop();
  }

  private update(): void {
    this.probe.watch(this.faults.engineSettings.tunnelProbe);
    if (this.connected) this.lostAt = null;
    else this.lostAt ??= this.now();
  }
}
