import type { VpnState } from '../../apps/gluetun-simulator/src/vpn-connection.js';
import { freePorts } from './ports.js';
import { ROOT, ServiceProcess } from './service-process.js';
import { until } from './until.js';

/** A simulated Gluetun as a process (apps/gluetun-simulator/README.md). */
export class GluetunSimulator {
  private process!: ServiceProcess;

  private constructor(
    readonly port: number,
    private readonly faultApiPort: number,
    private readonly tunnelTargetPort: number,
    private readonly env: Record<string, string>,
  ) {}

  static async start(env: Record<string, string>): Promise<GluetunSimulator> {
    const [port, faultApiPort, tunnelTargetPort] = await freePorts(3);
    const gluetun = new GluetunSimulator(port, faultApiPort, tunnelTargetPort, env);
    await gluetun.launch();
    return gluetun;
  }

  /** Address that engines probe to check the tunnel (SIM_TUNNEL_PROBE). */
  get tunnelTarget(): string {
    return `127.0.0.1:${this.tunnelTargetPort}`;
  }

  /** Starts or restarts it; resolves when the tunnel is up. */
  async launch(): Promise<void> {
    this.process = ServiceProcess.ofApp('gluetun-simulator', {
      cwd: ROOT,
      env: {
        GLUETUN_SIM_PORT: String(this.port),
        GLUETUN_SIM_CONTROL_PORT: String(this.faultApiPort),
        GLUETUN_SIM_TUNNEL_PORT: String(this.tunnelTargetPort),
        ...this.env,
      },
    });
    await until(
      'the simulated Gluetun has a tunnel',
      async () => {
        const response = await fetch(`http://127.0.0.1:${this.faultApiPort}/__sim/state`);
        return ((await response.json()) as VpnState).tunnel;
      },
      15_000,
    );
  }

  /** Changes the state, for `forMs` milliseconds if given. */
  async set(change: Partial<VpnState>, forMs?: number): Promise<void> {
    const body = JSON.stringify({ ...change, forMs });
    const response = await fetch(`http://127.0.0.1:${this.faultApiPort}/__sim/state`, { method: 'PUT', body });
    if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
  }

  async kill(): Promise<void> {
    this.process.kill('SIGKILL');
    await this.process.exited;
  }
}
