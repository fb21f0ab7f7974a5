/** Combines Docker's health of the VPN container and the reply of its control server. */
import type { NetworkOwner } from '../runtime/engine-runtime.js';
import type { ReportedStatus } from './tunnel.policy.js';

/** By Gluetun's status of its VPN; other words are unknown. A Map, because an object also has names such as "constructor". */
const BY_VPN_STATUS: ReadonlyMap<string | null, ReportedStatus> = new Map([
  ['running', 'good'],
  ['starting', 'starting'],
  ['stopping', 'bad'],
  ['stopped', 'bad'],
  ['crashed', 'bad'],
  ['completed', 'bad'],
]);

/**
 * @param owner null if the container does not exist; undefined if unknown (Docker does not answer, or engines are no containers)
 * @param vpnStatus reply of the control server; null without one
 */
export function reportedStatus(owner: NetworkOwner | null | undefined, vpnStatus: string | null): ReportedStatus {
  if (owner === null) return 'missing';
  if (owner && !owner.running) return 'stopped';
  const byControl = BY_VPN_STATUS.get(vpnStatus) ?? 'unknown';
  if (owner === undefined || owner.health === 'none') return byControl;
  // Docker's health is from its last check; the control server is more recent.
  if (owner.health === 'unhealthy' || byControl === 'bad') return 'bad';
  return owner.health === 'healthy' ? 'good' : 'starting';
}
