import type { PrivateDockerDaemon } from './private-docker-daemon.js';
import type { Pair } from './pair.js';
import { until } from './until.js';

const LONGEST_PAUSE_MS = 1500;

/** Applies faults to a pair and its Docker daemon in random order. The seed determines the order. */
export class DockerChaos {
  /** Replies to the provisioning requests of all bursts. */
  readonly stormed: { status: number }[] = [];
  private state: number;
  private readonly pending: Promise<unknown>[] = [];

  constructor(
    seed: number,
    private readonly pair: Pair,
    private readonly daemon: PrivateDockerDaemon,
    private readonly stormSize: number,
  ) {
    this.state = seed;
  }

  /** @returns names of the faults, in order */
  async run(durationMs: number): Promise<string[]> {
    const done: string[] = [];
    const acts: [string, () => Promise<unknown>][] = [
      ['storm', () => this.storm()],
      ['kill', () => this.onSome((id) => this.daemon.client.getContainer(id).kill())],
      ['orchestrator', () => this.killOrchestrator()],
      ['rm', () => this.onSome((id) => this.daemon.client.getContainer(id).remove({ force: true }))],
      ['pause', () => this.onSome((id) => this.daemon.client.getContainer(id).pause())],
      ['daemon', () => this.restartDaemon()],
      ['restart', () => this.onSome((id) => this.daemon.client.getContainer(id).restart({ t: 0 }))],
    ];
    const end = performance.now() + durationMs;
    // Every fault once in random order, then random faults.
    const first = this.shuffled(acts);
    while (first.length > 0 || performance.now() < end) {
      const [name, act] = first.shift() ?? acts[this.random(acts.length)];
      done.push(name);
      await act();
      await new Promise((resolve) => setTimeout(resolve, this.random(LONGEST_PAUSE_MS)));
    }
    await Promise.all(this.pending);
    return done;
  }

  private storm(): Promise<void> {
    const calls = Array.from({ length: this.stormSize }, async () => {
      const answer = await fetch(`${this.pair.apiUrl}/provision/acestream`, {
        method: 'POST',
        headers: { Authorization: `Bearer ${this.pair.apiKey}` },
      }).catch(() => null);
      // An orchestrator that is killed during the call does not answer.
      if (answer) this.stormed.push({ status: answer.status });
    });
    this.pending.push(Promise.all(calls));
    return Promise.resolve();
  }

  /** Acts on one running container, if there is one. It may disappear before the call. */
  private async onSome(act: (id: string) => Promise<unknown>): Promise<void> {
    const running = await this.daemon.client.listContainers();
    if (running.length === 0) return;
    await act(running[this.random(running.length)].Id).catch(() => undefined);
  }

  private async killOrchestrator(): Promise<void> {
    this.pair.orchestrator.kill('SIGKILL');
    await this.pair.orchestrator.exited;
    this.pair.startOrchestrator();
    await until('the orchestrator answers after its restart', async () => (await fetch(`${this.pair.apiUrl}/health`)).ok);
  }

  private async restartDaemon(): Promise<void> {
    await this.daemon.end(this.random(2) === 0 ? 'SIGTERM' : 'SIGKILL');
    await new Promise((resolve) => setTimeout(resolve, this.random(LONGEST_PAUSE_MS)));
    this.daemon.launch();
    await this.daemon.untilAnswers();
  }

  private shuffled<T>(items: readonly T[]): T[] {
    const rest = [...items];
    return items.map(() => rest.splice(this.random(rest.length), 1)[0]);
  }

  /** A number from 0 to `limit` - 1 (mulberry32). */
  private random(limit: number): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  }
}
