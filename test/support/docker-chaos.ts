import { setTimeout as sleep } from 'node:timers/promises';
import type { PrivateDockerDaemon } from './private-docker-daemon.js';
import type { Pair } from './pair.js';
import { SeededRandom } from './random.js';
import { until } from './until.js';

const LONGEST_PAUSE_MS = 1500;

/** Applies faults to a pair and its Docker daemon in random order, which the seed determines. */
export class DockerChaos {
  /** Statuses of the replies to all provisioning requests. */
  readonly provisionStatuses: number[] = [];
  private readonly random: SeededRandom;
  private readonly pending: Promise<unknown>[] = [];

  constructor(
    seed: number,
    private readonly pair: Pair,
    private readonly daemon: PrivateDockerDaemon,
    private readonly stormSize: number,
  ) {
    this.random = new SeededRandom(seed);
  }

  /** @returns names of the faults, in order */
  async run(durationMs: number): Promise<string[]> {
    const done: string[] = [];
    const faults: [string, () => Promise<unknown>][] = [
      ['storm', () => this.storm()],
      ['kill', () => this.onAnyContainer((id) => this.daemon.client.getContainer(id).kill())],
      ['orchestrator', () => this.killOrchestrator()],
      ['rm', () => this.onAnyContainer((id) => this.daemon.client.getContainer(id).remove({ force: true }))],
      ['pause', () => this.onAnyContainer((id) => this.daemon.client.getContainer(id).pause())],
      ['daemon', () => this.restartDaemon()],
      ['restart', () => this.onAnyContainer((id) => this.daemon.client.getContainer(id).restart({ t: 0 }))],
    ];
    const end = performance.now() + durationMs;
    // Every fault once in random order, then random faults.
    const first = this.shuffled(faults);
    while (first.length > 0 || performance.now() < end) {
      const [name, inflict] = first.shift() ?? this.random.pick(faults);
      done.push(name);
      await inflict();
      await sleep(this.random.integer(0, LONGEST_PAUSE_MS));
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
      if (answer) this.provisionStatuses.push(answer.status);
    });
    this.pending.push(Promise.all(calls));
    return Promise.resolve();
  }

  /** Acts on one running container, if there is one. The container may disappear before the call. */
  private async onAnyContainer(act: (id: string) => Promise<unknown>): Promise<void> {
    const running = await this.daemon.client.listContainers();
    if (running.length === 0) return;
    await act(this.random.pick(running).Id).catch(() => undefined);
  }

  private async killOrchestrator(): Promise<void> {
    this.pair.orchestrator.kill('SIGKILL');
    await this.pair.orchestrator.exited;
    this.pair.startOrchestrator();
    await until('the orchestrator answers after its restart', async () => (await fetch(`${this.pair.apiUrl}/health`)).ok);
  }

  private async restartDaemon(): Promise<void> {
    await this.daemon.stop(this.random.integer(0, 1) === 0 ? 'SIGTERM' : 'SIGKILL');
    await sleep(this.random.integer(0, LONGEST_PAUSE_MS));
    this.daemon.launch();
    await this.daemon.untilAnswers();
  }

  private shuffled<T>(items: readonly T[]): T[] {
    const rest = [...items];
    return items.map(() => rest.splice(this.random.integer(0, rest.length - 1), 1)[0]);
  }
}
