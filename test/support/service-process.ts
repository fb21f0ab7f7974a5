import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** A service in its own process. Its output is kept for the message of a failing test. */
export class ServiceProcess {
  /** The services that are running. */
  static readonly running = new Set<ServiceProcess>();
  readonly output: string[] = [];
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  private readonly child: ChildProcess;

  /** Starts the built program of `apps/NAME`. With PROXY_WORKERS in the environment of the tests, every proxy has so many workers. */
  static ofApp(name: string, options: { cwd: string; env: Record<string, string>; args?: readonly string[] }): ServiceProcess {
    const workers = name === 'proxy' ? process.env.PROXY_WORKERS : undefined;
    return new ServiceProcess(name, [process.execPath, join(ROOT, 'apps', name, 'dist/main.js'), ...(options.args ?? [])], {
      cwd: options.cwd,
      env: { ...(workers !== undefined && { ACEXY_WORKERS: workers }), ...options.env },
    });
  }

  constructor(
    readonly name: string,
    command: readonly string[],
    options: { cwd: string; env: Record<string, string> },
  ) {
    this.child = spawn(command[0], command.slice(1), {
      cwd: options.cwd,
      env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '', ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    for (const stream of [this.child.stdout, this.child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => this.output.push(text));
    ServiceProcess.running.add(this);
    this.exited = new Promise((resolve) =>
      this.child.once('close', (code, signal) => {
        ServiceProcess.running.delete(this);
        resolve({ code, signal });
      }),
    );
  }

  get pid(): number {
    if (this.child.pid === undefined) throw new Error(`${this.name} did not start`);
    return this.child.pid;
  }

  get log(): string {
    return this.output.join('');
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Sends SIGTERM and waits; kills it after `limitMs`, which the caller sees in `signal`. */
  async stop(limitMs = 15_000): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
    this.child.kill('SIGTERM');
    const limit = setTimeout(() => this.child.kill('SIGKILL'), limitMs);
    const result = await this.exited;
    clearTimeout(limit);
    return result;
  }
}
