/** Behind which VPN the next engine is started. Pure. */

export interface TunnelForSlot {
  name: string;
  /** Its place in the settings. */
  index: number;
  /** An engine may be started behind it now. */
  open: boolean;
  /** It is open for a single try only. */
  trial: boolean;
  /** Engines behind it and on their way there. */
  engines: number;
  forwardedPort: number | null;
  /** An engine has that port already, or is being started with it. */
  portTaken: boolean;
}

/** No engine can be started behind a VPN now; the message says why. */
export class NoVpnSlotError extends Error {
  readonly code = 'no_vpn_slot';

  constructor(message: string) {
    super(message);
    this.name = 'NoVpnSlotError';
  }
}

/** The one that carries the fewest, of those that are up and have room; one that is only to be tried comes last. */
export function chooseSlot(tunnels: readonly TunnelForSlot[], room: number): TunnelForSlot | null {
  const free = tunnels.filter(({ open, engines }) => open && engines < room);
  free.sort(
    (a, b) =>
      Number(a.trial) - Number(b.trial) || a.engines - b.engines || Number(givesPort(b)) - Number(givesPort(a)) || a.index - b.index,
  );
  return free[0] ?? null;
}

/** Whether the next engine behind it gets the forwarded port. */
export function givesPort({ trial, forwardedPort, portTaken }: TunnelForSlot): boolean {
  return !trial && forwardedPort !== null && !portTaken;
}

/** The HTTP ports that belong to one VPN: its stretch of the host's range, so that it can be published once and for all. */
export function portsOf(index: number, room: number, range: { first: number; last: number }): { first: number; last: number } {
  const first = range.first + index * room;
  return { first, last: Math.min(range.last, first + room - 1) };
}
