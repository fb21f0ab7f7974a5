/** The simulated VPN connection. What it does and what it reports can differ, to simulate faults. */

/** As Gluetun writes it in `GET /v1/vpn/status`. */
export const VPN_STATUSES = ['running', 'starting', 'stopping', 'stopped', 'crashed', 'completed'] as const;
export type VpnStatus = (typeof VPN_STATUSES)[number];

/** How the control server answers: correctly, never, with status 500, or with a body that is not JSON. */
export const ANSWERS = ['well', 'never', 'error', 'garbage'] as const;
export type Answers = (typeof ANSWERS)[number];

/** What a test may set. */
export interface VpnState {
  /** Whether packets pass. The fields below do not follow a dead tunnel: a real Gluetun reports a healthy VPN for almost three minutes. */
  tunnel: boolean;
  status: VpnStatus;
  /** Result of the health check. */
  healthy: boolean;
  forwardedPorts: readonly number[];
  publicIp: string;
  answers: Answers;
}

export interface VpnOptions {
  /** Milliseconds from the start until the tunnel works. */
  connectMs: number;
  /** Milliseconds from the working tunnel until its forwarded ports. */
  portDelayMs: number;
  /** The ports forwarded then. */
  forwardedPorts: readonly number[];
  publicIp: string;
}

const DISCONNECTED = { tunnel: false, healthy: false, forwardedPorts: [] as readonly number[], publicIp: '' } as const;

export class VpnConnection {
  private lasting: VpnState = { ...DISCONNECTED, status: 'starting', answers: 'well' };
  /** Changes that end after a time, by the timer that ends them; the newest is last and wins. */
  private readonly timed = new Map<NodeJS.Timeout, Partial<VpnState>>();
  private connecting: NodeJS.Timeout | undefined;
  private readonly listeners = new Set<(state: VpnState) => void>();

  constructor(private readonly options: VpnOptions) {}

  get state(): VpnState {
    return Object.assign({}, this.lasting, ...this.timed.values()) as VpnState;
  }

  /** Connects, as at the start of the container and after `PUT /v1/vpn/status {"status": "running"}`. */
  connect(): void {
    const { connectMs, portDelayMs, forwardedPorts, publicIp } = this.options;
    clearTimeout(this.connecting);
    this.set({ ...DISCONNECTED, status: 'starting' });
    this.connecting = setTimeout(() => {
      this.set({ tunnel: true, status: 'running', healthy: true, publicIp });
      this.connecting = setTimeout(() => this.set({ forwardedPorts }), portDelayMs);
    }, connectMs);
  }

  /** Disconnects and reports it. */
  disconnect(): void {
    clearTimeout(this.connecting);
    this.set({ ...DISCONNECTED, status: 'stopped' });
  }

  /**
   * Changes the state, for `forMs` milliseconds if given. Of several changes of one field the newest wins; when a timed change ends, the one
   * before it is in effect again.
   */
  set(change: Partial<VpnState>, forMs?: number): void {
    if (forMs === undefined) {
      this.lasting = { ...this.lasting, ...change };
      for (const [timer, older] of this.timed) this.timed.set(timer, { ...older, ...change });
    } else {
      const timer = setTimeout(() => {
        this.timed.delete(timer);
        this.notify();
      }, forMs);
      this.timed.set(timer, change);
    }
    this.notify();
  }

  onChange(listener: (state: VpnState) => void): void {
    this.listeners.add(listener);
  }

  /** Cancels all pending changes. */
  close(): void {
    clearTimeout(this.connecting);
    for (const timer of this.timed.keys()) clearTimeout(timer);
  }

  private notify(): void {
    const { state } = this;
    for (const listener of this.listeners) listener(state);
  }
}
