import { CodedError } from '@acexy/service-kit/primitives';
/** Selects the VPN for the next engine. */

export interface TunnelForSlot {
  name: string;
  /** Position in the settings. */
  index: number;
  /** An engine may be started behind it now. */
  open: boolean;
  /** It may get a single engine only, to find out whether its tunnel works. */
  canary: boolean;
  /** Running and starting engines behind it. */
  engines: number;
  /** A forwarded port that no engine uses or is starting with; null if there is none. */
  freePort: number | null;
}

/** No engine can be started behind a VPN now; the message says why. */
export class NoVpnSlotError extends CodedError {
  readonly code = 'no_vpn_slot';
}

/** The VPN with the fewest engines, of those that are up and have room. A canary comes last. */
export function chooseSlot(tunnels: readonly TunnelForSlot[], room: number): TunnelForSlot | null {
  const free = tunnels.filter(({ open, engines }) => open && engines < room);
  const hasPort = (tunnel: TunnelForSlot): number => Number(portForNext(tunnel) !== null);
  free.sort((a, b) => Number(a.canary) - Number(b.canary) || a.engines - b.engines || hasPort(b) - hasPort(a) || a.index - b.index);
  return free[0] ?? null;
}

/** The forwarded port that the next engine behind it gets; null if it gets none. */
export function portForNext({ canary, freePort }: TunnelForSlot): number | null {
  return canary ? null : freePort;
}

/** The HTTP ports of one VPN: a fixed part of the host's range, so that the VPN container can publish it in advance. */
export function portsOf(index: number, room: number, range: { first: number; last: number }): { first: number; last: number } {
  const first = range.first + index * room;
  return { first, last: Math.min(range.last, first + room - 1) };
}
