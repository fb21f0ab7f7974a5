/** The metrics of a simulated engine that tests read. */
export interface EngineMetrics {
  sessions: { opened: number; active: number; stopped: number; expired: number; superseded: number; lost: number };
  readers: { opened: number; open: number; maxPerSession: number };
}

/** The control API of one simulated engine (apps/engine-simulator/README.md). */
export class SimulatorControl {
  constructor(private readonly port: number) {}

  async metrics(): Promise<EngineMetrics> {
    return (await this.call('GET', 'metrics')) as EngineMetrics;
  }

  /** Process id of the engine. */
  async pid(): Promise<number> {
    return ((await this.call('GET', 'state')) as { pid: number }).pid;
  }

  /** Ends every session of the engine. `superseded` and `stopped` end the media in order; after `lost` the connection stays open and silent. */
  async end(how: 'superseded' | 'stopped' | 'lost'): Promise<void> {
    await this.call('POST', 'end', { how });
  }

  /** Injects a fault: changes one setting of the engine, for `forMs` or until it is cleared. */
  async fault(setting: string, value: unknown, forMs?: number): Promise<void> {
    await this.call('POST', 'faults', { target: '*', fault: setting, params: value, forMs });
  }

  /** Changes several settings of the engine. */
  async faults(settings: Readonly<Record<string, unknown>>): Promise<void> {
    await this.call('POST', 'faults', { target: '*', faults: settings });
  }

  /** Restarts the engine: all its sessions are lost. */
  async restart(): Promise<void> {
    await this.call('POST', 'restart');
  }

  async clearFaults(): Promise<void> {
    await this.call('DELETE', 'faults');
  }

  private async call(method: string, path: string, body?: unknown): Promise<unknown> {
    const response = await fetch(`http://127.0.0.1:${this.port}/__sim/${path}`, {
      method,
      headers: { 'Content-Type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`simulator ${method} ${path}: ${response.status} ${text}`);
    return text === '' ? null : JSON.parse(text);
  }
}
