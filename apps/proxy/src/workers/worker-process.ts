/** One worker as the front sees it: its process, which is started again whenever it ends, and the connections that wait for it. */
import type { Socket } from 'node:net';
import type { Log } from '@acexy/service-kit';
import { type Clock, OneShotTimer, backoffMs } from '@acexy/service-kit/primitives';
import { Channel } from './channel.js';
import { type HandedConnection, type ReturnedConnection, TO_FRONT, TO_WORKER } from './protocol.js';
import type { Selector } from './route.policy.js';
import type { ChildOfFront } from './worker-starter.js';

/** A worker that sends nothing for this long is replaced: its event loop is blocked. It says every second that it is alive. */
const SILENCE_LIMIT_MS = 10_000;
/** The same until it is ready: it loads its code first. */
const START_LIMIT_MS = 60_000;
/** The first restart is immediate; further ones wait, until a worker has run for a while. */
const RESTART = { firstMs: 250, longestMs: 10_000 };
const STEADY_MS = 30_000;
/** Longest wait of a connection for a worker that starts: one that is blocked is found and replaced within this time. */
const WAIT_LIMIT_MS = 15_000;

export interface WorkerOwner {
  /** A new process: its questions and notices must be connected now. */
  onStart(worker: WorkerProcess, channel: Channel): void;
  onReady(worker: WorkerProcess): void;
  /** The worker gives a connection back: another worker plays the content. */
  onReturn(socket: Socket, head: Buffer, selector: Selector): void;
  /** The process has ended, and with it everything that it had. `failures`: exits in a row. */
  onExit(worker: WorkerProcess, failures: number): void;
}

interface WaitingConnection {
  id: number;
  socket: Socket;
  head: Buffer;
  /** Another worker had it before. */
  returned: boolean;
  /** Answers it elsewhere. */
  onLate: () => void;
  /** Ends the wait for a process that does not start; null: it is over. */
  limit: unknown;
  /** The process may have it. */
  isSent: boolean;
}

export class WorkerProcess {
  /** To the process that runs now; null between two. */
  channel: Channel | null = null;
  private process: ChildOfFront | null = null;
  /** By id. */
  private readonly waiting = new Map<number, WaitingConnection>();
  private readonly restart: OneShotTimer;
  /** Connections that were sent to the process and are open there. */
  private connections = 0;
  private lastId = 0;
  private ready = false;
  private stopping = false;
  private failures = 0;
  private startedAt = 0;
  private heardAt = 0;
  private onStopped: () => void = () => undefined;

  constructor(
    readonly index: number,
    private readonly startProcess: () => ChildOfFront,
    private readonly owner: WorkerOwner,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {
    this.restart = new OneShotTimer(clock, () => this.start());
  }

  get isReady(): boolean {
    return this.ready;
  }

  get pid(): number | undefined {
    return this.process?.pid;
  }

  /** It has ended for good, or will: it takes no more connections. */
  get isGone(): boolean {
    return this.stopping && this.process === null;
  }

  start(): void {
    this.startedAt = this.heardAt = this.clock.now();
    try {
      this.watch(this.startProcess());
    } catch (error) {
      this.log.error('worker could not start', { worker: this.index, error });
      this.onExit(null, null);
    }
  }

  private watch(child: ChildOfFront): void {
    this.process = child;
    const channel = new Channel(child, () => (this.heardAt = this.clock.now()));
    this.channel = channel;
    channel.onNotice(TO_FRONT.alive, () => undefined);
    channel.onNotice(TO_FRONT.taken, (id: number) => this.taken(id));
    channel.onNotice(TO_FRONT.closed, () => (this.connections -= 1));
    channel.onNotice(TO_FRONT.returned, ({ head, selector }: ReturnedConnection, socket: Socket | undefined) => {
      if (socket !== undefined) this.owner.onReturn(socket, Buffer.from(head, 'latin1'), selector);
    });
    channel.onNotice(TO_FRONT.ready, () => this.becomeReady());
    child.once('error', (error: Error) => {
      this.log.error('worker could not start', { worker: this.index, error });
      // Without a process nothing else says that it has ended.
      if (child.pid === undefined) this.onExit(null, null);
    });
    child.once('exit', (code: number | null, signal: NodeJS.Signals | null) => this.onExit(code, signal));
    this.owner.onStart(this, channel);
    channel.notify(TO_WORKER.start, this.index);
  }

  /** Connections of the process, and those that wait for it. */
  get load(): number {
    return this.connections + this.waiting.size;
  }

  /** Gives the connection to the process, as soon as it is ready. `head`: what was read from the socket. `onLate`: it is not ready in time. */
  handOver(socket: Socket, head: Buffer, onLate: () => void, returned = false): void {
    this.lastId += 1;
    const connection: WaitingConnection = { id: this.lastId, socket, head, returned, onLate, limit: null, isSent: false };
    connection.limit = this.clock.setTimeout(() => {
      connection.limit = null;
      if (!connection.isSent) this.answerElsewhere(connection);
    }, WAIT_LIMIT_MS);
    this.waiting.set(connection.id, connection);
    socket.once('close', () => this.forget(connection));
    if (this.ready) this.send(connection);
  }

  /** Kills a process that has been silent for too long. @param late the front itself did not run meanwhile */
  check(late: boolean): void {
    if (this.process === null) return;
    const now = this.clock.now();
    if (late) this.heardAt = now;
    const limitMs = this.ready ? SILENCE_LIMIT_MS : START_LIMIT_MS;
    if (now - this.heardAt <= limitMs) return;
    this.log.error('worker does not respond, killing it', {
      worker: this.index,
      pid: this.process.pid,
      silent_ms: Math.round(now - this.heardAt),
    });
    this.heardAt = now;
    this.process.kill('SIGKILL');
  }

  /** Lets the process shut down in order, and kills it after `limitMs`. Resolves when it has ended. */
  async stop(limitMs: number): Promise<void> {
    this.stopping = true;
    this.restart.clear();
    for (const connection of this.waiting.values()) if (!connection.isSent) this.answerElsewhere(connection);
    if (this.process === null) return;
    const limit = this.clock.setTimeout(() => {
      this.log.error('worker shutdown timed out, killing it', { worker: this.index, limit_ms: limitMs });
      this.process?.kill('SIGKILL');
    }, limitMs);
    const stopped = new Promise<void>((resolve) => (this.onStopped = resolve));
    // One that is not ready has nothing to end, and does not understand the notice yet.
    if (this.ready) this.channel?.notify(TO_WORKER.stop);
    else this.process.kill('SIGKILL');
    await stopped;
    this.clock.clearTimeout(limit);
  }

  private becomeReady(): void {
    this.ready = true;
    this.owner.onReady(this);
    for (const connection of this.waiting.values()) this.send(connection);
  }

  /** Until the process has it, the connection stays in `waiting` and open here: if the process ends first, the next one gets it. */
  private send(connection: WaitingConnection): void {
    const { socket, id, returned } = connection;
    // What arrived while the connection waited.
    const more = socket.read() as Buffer | null;
    if (more !== null) connection.head = Buffer.concat([connection.head, more]);
    connection.isSent = true;
    const handed: HandedConnection = { id, head: connection.head.toString('latin1'), returned };
    this.channel?.notify(TO_WORKER.connection, handed, socket, { keepOpen: true });
  }

  private taken(id: number): void {
    // Also one whose client has left meanwhile: the process tells that it has closed.
    this.connections += 1;
    const connection = this.waiting.get(id);
    if (connection === undefined) return;
    this.forget(connection);
    // Closes it in this process only.
    connection.socket.destroy();
  }

  private forget(connection: WaitingConnection): boolean {
    this.clock.clearTimeout(connection.limit);
    return this.waiting.delete(connection.id);
  }

  private answerElsewhere(connection: WaitingConnection): void {
    if (this.forget(connection)) connection.onLate();
  }

  private onExit(code: number | null, signal: NodeJS.Signals | null): void {
    const expected = this.stopping;
    if (!expected) {
      if (this.clock.now() - this.startedAt > STEADY_MS) this.failures = 0;
      this.failures += 1;
      this.log.error('worker exited, starting it again', {
        worker: this.index,
        pid: this.process?.pid,
        exit_code: code,
        signal,
        failures: this.failures,
      });
    }
    this.channel?.close();
    this.channel = null;
    this.process = null;
    this.ready = false;
    this.connections = 0;
    for (const connection of this.waiting.values()) {
      connection.isSent = false;
      if (expected || connection.limit === null) this.answerElsewhere(connection);
    }
    this.owner.onExit(this, this.failures);
    this.onStopped();
    if (!expected) this.restart.set(this.failures === 1 ? 0 : backoffMs(this.failures - 1, RESTART));
  }
}
