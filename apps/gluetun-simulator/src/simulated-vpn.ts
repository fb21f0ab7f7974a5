/** State of the simulated VPN. Its real and its reported state can differ, to simulate faults. */

/** As Gluetun writes it in `GET /v1/vpn/status`. */
export const VPN_STATUSES = ['running', 'starting', 'stopping', 'stopped', 'crashed', 'completed'] as const;
export type VpnStatus = (typeof VPN_STATUSES)[number];

/** How its control server behaves: as it should, without ever answering, with status 500, or with something that is no JSON. */
export const ANSWERS = ['well', 'never', 'error', 'garbage'] as const;
export type Answers = (typeof ANSWERS)[number];

/** What a test may set. */
export interface VpnState {
  /** Whether packets pass. A dead tunnel changes nothing of what is said below, as with the real one for almost three minutes. */
  tunnel: boolean;
  status: VpnStatus;
  /** What its health check says. */
  healthy: boolean;
  /** 0: none. */
  forwardedPort: number;
  publicIp: string;
  answers: Answers;
}

export interface VpnOptions {
  /** From its start to a tunnel, milliseconds. */
  connectMs: number;
  /** From the tunnel to its forwarded port, milliseconds. */
  portDelayMs: number;
  /** What it forwards then; 0 for none. */
  forwardedPort: number;
  publicIp: string;
}

export class SimulatedVpn {
  state: VpnState;
  private readonly listeners = new Set<(state: VpnState) => void>();
  private timers: NodeJS.Timeout[] = [];

  constructor(private readonly options: VpnOptions) {
    this.state = { ...this.away(), status: 'starting', answers: 'well' };
  }

  /** Connects, as at the start of the container and after `PUT /v1/vpn/status {"status": "running"}`. */
  start(): void {
    this.cancel();
    this.set({ ...this.away(), status: 'starting' });
    const { connectMs, portDelayMs, forwardedPort, publicIp } = this.options;
    this.after(connectMs, () => {
      this.set({ tunnel: true, status: 'running', healthy: true, publicIp });
      this.after(portDelayMs, () => this.set({ forwardedPort }));
    });
  }

  /** Disconnects, and says so. */
  stop(): void {
    this.cancel();
    this.set({ ...this.away(), status: 'stopped' });
  }

  /** Makes it so, for `forMs` milliseconds where given; then what has been changed is as it was before. */
  set(change: Partial<VpnState>, forMs?: number): void {
    const before = this.state;
    this.state = { ...before, ...change };
    for (const listener of this.listeners) listener(this.state);
    if (forMs === undefined) return;
    const names = Object.keys(change) as (keyof VpnState)[];
    this.after(forMs, () => this.set(Object.fromEntries(names.map((name) => [name, before[name]]))));
  }

  onChange(listener: (state: VpnState) => void): void {
    this.listeners.add(listener);
  }

  /** Ends whatever was still to come. */
  cancel(): void {
    for (const timer of this.timers) clearTimeout(timer);
    this.timers = [];
  }

  private away(): Pick<VpnState, 'tunnel' | 'healthy' | 'forwardedPort' | 'publicIp'> {
    return { tunnel: false, healthy: false, forwardedPort: 0, publicIp: '' };
  }

  private after(ms: number, act: () => void): void {
    this.timers.push(setTimeout(act, ms));
  }
}
