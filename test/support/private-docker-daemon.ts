import Docker from 'dockerode';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from './until.js';

/** One bridge per process, so that two test runs do not collide. A daemon without its own bridge would remove `docker0`. */
const BRIDGE = `acexy${process.pid}`;
const BRIDGE_ADDRESS = `172.31.${process.pid % 250}.1/24`;

/** Why no second Docker daemon can run on this machine; null if one can. */
export const PRIVATE_DAEMON_MISSING: string | null = missingPart();

function missingPart(): string | null {
  if (process.getuid?.() !== 0) return 'only root can run a second Docker daemon';
  try {
    execFileSync('dockerd', ['--version'], { stdio: 'ignore' });
    execFileSync('ip', ['-V'], { stdio: 'ignore' });
    return null;
  } catch (error) {
    return `dockerd and ip are not both installed (${(error as Error).message})`;
  }
}

/**
 * A second Docker daemon with its own folder, socket and bridge, which tests may kill. It does not change the packet filter of the
 * machine: published ports use Docker's port proxies, which end with the daemon.
 */
export class PrivateDockerDaemon {
  readonly folder = mkdtempSync(join(tmpdir(), 'own-docker-'));
  /** Folder with only the socket. A restarted daemon creates a new socket, so a container mounts the folder. */
  readonly socketFolder = join(this.folder, 'socket');
  readonly host = `unix://${this.socketFolder}/docker.sock`;
  readonly client = new Docker({ socketPath: `${this.socketFolder}/docker.sock`, timeout: 30_000 });
  private daemon: ChildProcess | null = null;

  private constructor(private readonly options: readonly string[]) {}

  static async start(options: readonly string[], images: readonly string[]): Promise<PrivateDockerDaemon> {
    const daemon = new PrivateDockerDaemon(options);
    mkdirSync(daemon.socketFolder);
    try {
      execFileSync('ip', ['link', 'add', BRIDGE, 'type', 'bridge']);
      execFileSync('ip', ['addr', 'add', BRIDGE_ADDRESS, 'dev', BRIDGE]);
      execFileSync('ip', ['link', 'set', BRIDGE, 'up']);
      daemon.launch();
      await daemon.untilAnswers();
      execFileSync('sh', ['-c', `docker save ${images.join(' ')} | docker -H ${daemon.host} load`], { stdio: 'ignore' });
      return daemon;
    } catch (error) {
      await daemon.dispose();
      throw error;
    }
  }

  launch(): void {
    const log = openSync(join(this.folder, 'dockerd.log'), 'a');
    const folders = ['--data-root', `${this.folder}/data`, '--exec-root', `${this.folder}/exec`, '--pidfile', `${this.folder}/pid`];
    this.daemon = spawn('dockerd', ['--host', this.host, ...folders, '--bridge', BRIDGE, '--iptables=false', ...this.options], {
      stdio: ['ignore', log, log],
    });
  }

  async untilAnswers(): Promise<void> {
    await until('the daemon answers', async () => (await this.client.ping()) !== undefined, 30_000);
  }

  signal(signal: NodeJS.Signals): void {
    this.daemon?.kill(signal);
  }

  /** Stops the daemon. SIGTERM also stops its containers, unless live-restore is on. */
  async stop(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const { daemon } = this;
    if (!daemon || !this.runs) return;
    const exited = once(daemon, 'exit');
    daemon.kill(signal);
    await exited;
    // Its containerd stops too. If no parent reaps the two processes, their pids look alive to the next daemon.
    for (const stale of ['pid', 'exec/containerd/containerd.pid']) rmSync(join(this.folder, stale), { force: true });
  }

  /** Removes the containers, the daemon and all its files. */
  async dispose(): Promise<void> {
    if (this.daemon && !this.runs) this.launch();
    const { daemon } = this;
    if (daemon) {
      await this.untilAnswers();
      const containers = await this.client.listContainers({ all: true });
      await Promise.all(containers.map(({ Id }) => this.client.getContainer(Id).remove({ force: true })));
      const exited = once(daemon, 'exit');
      daemon.kill('SIGTERM');
      await exited;
    }
    execFileSync('ip', ['link', 'delete', BRIDGE]);
    for (const mount of mountsUnder(this.folder)) execFileSync('umount', [mount]);
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  private get runs(): boolean {
    return this.daemon !== null && this.daemon.exitCode === null && this.daemon.signalCode === null;
  }
}

/** Innermost mounts first. */
function mountsUnder(folder: string): string[] {
  const mounts = readFileSync('/proc/mounts', 'utf8').split('\n');
  return mounts
    .map((line) => line.split(' ')[1] ?? '')
    .filter((mount) => mount.startsWith(`${folder}/`))
    .reverse();
}
