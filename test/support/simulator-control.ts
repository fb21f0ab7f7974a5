/** The control API of one simulated engine (apps/engine-simulator/README.md). */
export class SimulatorControl {
  constructor(private readonly port: number) {}

  async get<T>(path: 'state' | 'metrics' | 'log'): Promise<T> {
    return (await this.call('GET', path)) as T;
  }

  async fault(fault: string, params: Record<string, unknown> = {}, target = '*'): Promise<void> {
    await this.call('POST', 'faults', { target, fault, params });
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
