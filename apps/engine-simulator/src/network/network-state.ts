import type { FaultBook, FaultSubject } from '../faults/fault-book.js';
import { TunnelProbe } from './tunnel-probe.js';

/** Whether the engine reaches the Internet (by the knob `connected`, and by a probe where `tunnelProbe` names one), and what that does to streams. */
export class NetworkState {
  private lostAt: number | null = null;
  private readonly probe = new TunnelProbe(() => this.update());

  constructor(
    private readonly faults: FaultBook,
    private readonly now: () => number,
  ) {
    this.update();
    faults.onChange(() => this.update());
  }

  /** What get_network_connection_status says. */
  get connected(): boolean {
    return this.faults.engine.connected && this.probe.up;
  }

  /** Nothing of this content arrives any more: it has no peers, the tunnel is dead, or the network has been away for long enough. */
  starves(content: FaultSubject): boolean {
    if (this.faults.of(content).peers === 0 || !this.probe.up) return true;
    const { starveAfterDisconnectMs } = this.faults.engine;
    return this.lostAt !== null && starveAfterDisconnectMs !== null && this.now() - this.lostAt >= starveAfterDisconnectMs;
  }

  close(): void {
    this.probe.stop();
  }

  private update(): void {
    this.probe.watch(this.faults.engine.tunnelProbe);
    if (this.connected) this.lostAt = null;
    else this.lostAt ??= this.now();
  }
}
