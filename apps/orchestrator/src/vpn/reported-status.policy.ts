/** What the VPN container and its control server together say of the tunnel. Pure. */
import type { NetworkOwner } from '../runtime/engine-runtime.js';
import type { ReportedStatus } from './tunnel.policy.js';

/** What the control server said in this look; null where it did not answer. */
export interface ControlWord {
  /** As Gluetun writes it: running, stopped, crashed and so on. */
  vpnStatus: string;
}

/**
 * @param owner null: there is no such container; undefined: nobody knows (Docker is away, or engines are no containers)
 */
export function reportedStatus(owner: NetworkOwner | null | undefined, control: ControlWord | null): ReportedStatus {
  if (owner === null) return 'missing';
  if (owner && !owner.running) return 'stopped';
  const said = control && wordOf(control.vpnStatus);
  const health = owner?.health;
  switch (health) {
    case undefined:
    case 'none':
      return said ?? 'unknown';
    case 'healthy':
      // Healthy by its last check only; what it says of itself is younger.
      return said === 'bad' ? 'bad' : 'good';
    case 'unhealthy':
      return 'bad';
    case 'starting':
      return said === 'bad' ? 'bad' : 'starting';
    default:
      return health satisfies never;
  }
}

function wordOf(vpnStatus: string): ReportedStatus {
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
