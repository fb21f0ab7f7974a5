/** Combines Docker's health of the VPN container and the reply of its control server. */
import type { NetworkOwner } from '../runtime/engine-runtime.js';
import type { ReportedStatus } from './tunnel.policy.js';

/** Reply of the control server. */
export interface ControlReply {
  /** Gluetun's status: running, stopped, crashed and so on. */
  vpnStatus: string;
}

/** @param owner null if the container does not exist; undefined if unknown (Docker does not answer, or engines are no containers) */
export function reportedStatus(owner: NetworkOwner | null | undefined, control: ControlReply | null): ReportedStatus {
  if (owner === null) return 'missing';
  if (owner && !owner.running) return 'stopped';
  const reported = control && statusOf(control.vpnStatus);
  const health = owner?.health;
  switch (health) {
    case undefined:
    case 'none':
      return reported ?? 'unknown';
    case 'healthy':
      // Docker's health is from its last check; the control server is more recent.
      return reported === 'bad' ? 'bad' : 'good';
    case 'unhealthy':
      return 'bad';
    case 'starting':
      return reported === 'bad' ? 'bad' : 'starting';
    default:
      return health satisfies never;
  }
}

function statusOf(vpnStatus: string): ReportedStatus {
  switch (vpnStatus) {
    case 'running':
      return 'good';
    case 'starting':
      return 'starting';
    case 'stopping':
    case 'stopped':
    case 'crashed':
    case 'completed':
      return 'bad';
    default:
      return 'unknown';
  }
}
