import { mkdirSync } from 'node:fs';
import { ServiceProcess } from './service-process.js';
import { SimulatorControl } from './simulator-control.js';
import { until } from './until.js';

export interface StandaloneEnginePorts {
  readonly http: number;
  readonly https: number;
  readonly api: number;
  readonly p2p: number;
  readonly control: number;
}

const PORTS = 5;

/** A simulated engine without an orchestrator, which a test kills and starts again on the same ports. */
export class StandaloneEngine {
  readonly control: SimulatorControl;
  process: ServiceProcess;

  /** @param settings environment of the simulator (SIM_*) */
  constructor(
    readonly id: string,
    readonly ports: StandaloneEnginePorts,
    private readonly folder: string,
    private readonly settings: Record<string, string> = {},
  ) {
    this.control = new SimulatorControl(ports.control);
    this.process = this.launch();
  }

  async kill(): Promise<void> {
    this.process.kill('SIGKILL');
    await this.process.exited;
  }

  /** Starts it again if it has exited, clears its faults, and waits until it answers. */
  async revive(): Promise<void> {
    await until(`engine ${this.id}`, async () => {
      const ended = await Promise.race([this.process.exited, Promise.resolve(null)]);
      if (ended !== null) this.process = this.launch();
      await this.control.clearFaults();
      return (await fetch(`http://127.0.0.1:${this.ports.http}/webui/api/service?method=get_version`)).ok;
    });
  }

  async stop(): Promise<void> {
    await this.process.stop();
  }

  private launch(): ServiceProcess {
    const { http, https, api, p2p, control } = this.ports;
    mkdirSync(this.folder, { recursive: true });
    const options = ['--http-port', http, '--https-port', https, '--api-port', api, '--port', p2p].map(String);
    return ServiceProcess.ofApp('engine-simulator', {
      cwd: this.folder,
      env: { SIM_BOOT_MS: '100', SIM_PREBUF_MS: '200', SIM_CONTROL_PORT: String(control), ...this.settings },
      args: ['--client-console', ...options, '--state-dir', this.folder],
    });
  }
}

/** The ports of one engine; `given` has five, for example of `freePorts(5)`. */
export function enginePorts([http, https, api, p2p, control]: readonly number[]): StandaloneEnginePorts {
  return { http, https, api, p2p, control };
}

/** The ports of the engine number `index` in a reserved range. */
export function enginePortsIn(first: number, index: number): StandaloneEnginePorts {
  return enginePorts(Array.from({ length: PORTS }, (_, port) => first + PORTS * index + port));
}
