import type { VpnContainerStatus, VpnHealth } from '@acexy/contracts';
import { isoTimeOrNull } from '../engines/engine-state.js';
import type { NetworkOwner } from '../runtime/engine-runtime.js';
import { isConnected, type ReportedStatus, type TunnelState, UNKNOWN_TUNNEL } from './tunnel.policy.js';

const HEALTH_BY_REPORT: Record<ReportedStatus, VpnHealth> = {
  good: 'healthy',
  bad: 'unhealthy',
  starting: 'starting',
  unknown: 'unknown',
  missing: 'unknown',
  stopped: 'unknown',
};

/** State of one VPN. Only VpnWatcher changes it. */
export class Tunnel {
  state: TunnelState = UNKNOWN_TUNNEL;
  /** Null if the container does not exist; undefined if unknown. */
  owner: NetworkOwner | null | undefined;
  reported: ReportedStatus = 'unknown';
  /** In Gluetun's order; empty if there is none. */
  forwardedPorts: readonly number[] = [];
  publicIp: string | null = null;
  /** The last problem with the control server, for the operator; null if there is none. */
  lastError: string | null = null;
  /** Milliseconds since the epoch. */
  lastCheck: number | null = null;
  /** Engines first seen before this time (milliseconds since the epoch) are replaced one by one. */
  replaceBefore = 0;

  constructor(
    readonly name: string,
    /** Position in the settings: determines its ports. */
    readonly index: number,
  ) {}

  get connected(): boolean {
    return isConnected(this.state);
  }

  describe(engines: number): VpnContainerStatus {
    const lastCheck = isoTimeOrNull(this.lastCheck);
    return {
      status: this.status,
      container_name: this.name,
      container: this.name,
      health: this.health,
      connected: this.connected,
      forwarded_port: (this.connected ? this.forwardedPorts.at(0) : null) ?? null,
      forwarded_ports: this.connected ? [...this.forwardedPorts] : [],
      last_check: lastCheck,
      last_check_at: lastCheck,
      reason: [this.state.reason, this.lastError].filter((text) => text !== null).join('; '),
      public_ip: this.connected ? this.publicIp : null,
      engines,
    };
  }

  private get status(): string {
    if (this.owner === null) return 'not_found';
    if (this.owner) return this.owner.state;
    // Engines are no containers, or Docker does not answer.
    return this.connected ? 'running' : 'error';
  }

  get health(): VpnHealth {
    const { owner } = this;
    if (owner === null || owner?.running === false) return 'unknown';
    return owner && owner.health !== 'none' ? owner.health : HEALTH_BY_REPORT[this.reported];
  }
}
