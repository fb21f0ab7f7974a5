/** Creates the processes of workers. A spare one, which has loaded its code, replaces the next worker that ends: loading takes most of a start. */
import type { ChildProcess } from 'node:child_process';
import type { EventEmitter } from 'node:events';
import type { Log } from '@acexy/service-kit';

/** A process that becomes a worker when it is told which one. */
export type ChildOfFront = Pick<EventEmitter, 'on' | 'once'> & Pick<ChildProcess, 'send' | 'kill' | 'pid'>;

export class WorkerStarter {
  private spare: ChildOfFront | null = null;

  constructor(
    private readonly create: () => ChildOfFront,
    private readonly log: Log,
  ) {}

  start(): ChildOfFront {
    const child = this.spare ?? this.create();
    this.spare = null;
    return child;
  }

  /** To be called when all workers are ready: a process that loads its code takes processor time from those that start. */
  prepare(): void {
    if (this.spare !== null) return;
    try {
      this.keep(this.create());
    } catch (error) {
      this.log.warn('spare worker could not start', { error });
    }
  }

  stop(): void {
    this.spare?.kill('SIGKILL');
    this.spare = null;
  }

  private keep(child: ChildOfFront): void {
    this.spare = child;
    // Without it, the next start takes longer, and there is another one after that.
    const forget = (): void => {
      if (this.spare === child) this.spare = null;
    };
    child.once('exit', forget);
    child.once('error', (error: Error) => {
      if (this.spare === child) this.log.warn('spare worker could not start', { error });
      forget();
    });
  }
}
