import type { VpnContainerStatus, VpnHealth } from '@acexy/contracts';
import type { NetworkOwner } from '../runtime/engine-runtime.js';
import { isConnected, type ReportedStatus, type TunnelState, UNSEEN } from './tunnel.policy.js';

/** What is remembered of one VPN. Only the watcher writes here. */
export class Tunnel {
  state: TunnelState = UNSEEN;
  /** null: there is no such container; undefined: not known. */
  owner: NetworkOwner | null | undefined;
  own: ReportedStatus = 'unknown';
  forwardedPort: number | null = null;
  /** Monotonic milliseconds of the last answer about the port; null: it is to be asked anew. */
  portAskedAt: number | null = null;
  publicIp: string | null = null;
  /** What does not work between us and it, for the operator; null where all does. */
  trouble: string | null = null;
  /** Milliseconds since the epoch. */
  lastCheck: number | null = null;
  /** Engines seen earlier than this (milliseconds since the epoch) are to be replaced, one by one. */
  renewBefore = 0;

  constructor(
    readonly name: string,
    /** Its place in the settings: says which ports are its own. */
    readonly index: number,
  ) {}

  get connected(): boolean {
    return isConnected(this.state);
  }

  describe(engines: number): VpnContainerStatus {
    const lastCheck = this.lastCheck === null ? null : new Date(this.lastCheck).toISOString();
    return {
      status: this.statusWord(),
      container_name: this.name,
      container: this.name,
      health: this.health(),
      connected: this.connected,
      forwarded_port: this.connected ? this.forwardedPort : null,
      last_check: lastCheck,
      last_check_at: lastCheck,
      reason: [this.state.reason, this.trouble].filter((text) => text !== null).join('; '),
      public_ip: this.connected ? this.publicIp : null,
      engines,
    };
  }

  private statusWord(): string {
    if (this.owner === null) return 'not_found';
    if (this.owner) return this.owner.state;
    // No containers here, or Docker is away.
    return this.connected ? 'running' : 'error';
  }

  private health(): VpnHealth {
    if (this.owner === null || this.owner?.running === false) return 'unknown';
    const told = this.owner?.health;
    if (told !== undefined && told !== 'none') return told;
    switch (this.own) {
      case 'good':
        return 'healthy';
      case 'bad':
        return 'unhealthy';
      case 'starting':
        return 'starting';
      case 'unknown':
      case 'missing':
      case 'stopped':
        return 'unknown';
      default:
        return this.own satisfies never;
    }
  }
}
