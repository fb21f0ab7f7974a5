import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { SILENT_LOG } from '@acexy/service-kit';
import { beforeEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../../../test/doubles/fake-clock.js';
import { WorkerProcess } from './worker-process.js';

type Sent = { topic: string; body: unknown; socket?: FakeSocket };

class FakeSocket extends EventEmitter {
  destroyed = false;
  destroy(): void {
    this.destroyed = true;
    this.emit('close');
  }
  read(): null {
    return null;
  }
}

/** A process that the test plays: it records what it gets. */
class FakeProcess extends EventEmitter {
  pid: number | undefined = 1;
  readonly sent: Sent[] = [];
  readonly killed: string[] = [];
  /** Whether it says that it has each connection that is sent. */
  takes = true;

  send(message: { topic: string; body: unknown }, socket: FakeSocket | undefined) {
    this.sent.push({ topic: message.topic, body: message.body, ...(socket && { socket }) });
    if (socket && this.takes) this.tells('taken', (message.body as { id: number }).id);
    return true;
  }

  tells(topic: string, body: unknown = null): void {
    this.emit('message', { kind: 'notice', topic, body });
  }

  kill(signal: string): boolean {
    this.killed.push(signal);
    return true;
  }

  get connections(): unknown[] {
    return this.sent.filter(({ topic }) => topic === 'connection').map(({ body }) => (body as { head: string }).head);
  }
}

describe('a worker process', () => {
  let clock: FakeClock;
  let processes: FakeProcess[];
  let events: string[];
  let worker: WorkerProcess;
  let startFails: boolean;

  beforeEach(() => {
    clock = new FakeClock();
    processes = [];
    events = [];
    startFails = false;
    const startProcess = () => {
      if (startFails) throw new Error('spawn ENOMEM');
      processes.push(new FakeProcess());
      return processes[processes.length - 1] as never;
    };
    const owner = {
      onStart: () => void events.push('start'),
      onReady: () => void events.push('ready'),
      onReturn: () => void events.push('return'),
      onExit: (_worker: WorkerProcess, failures: number) => void events.push(`exit ${failures}`),
    };
    worker = new WorkerProcess(0, startProcess, owner, clock, SILENT_LOG);
    worker.start();
  });

  const connection = (name: string, onLate = () => undefined as void): FakeSocket => {
    const socket = new FakeSocket();
    worker.handOver(socket as unknown as Socket, Buffer.from(name), onLate);
    return socket;
  };

  it('gets connections that arrive while it starts as soon as it is ready', () => {
    connection('one');
    const left = connection('left');
    left.emit('close');
    expect([processes[0].connections, worker.load]).toEqual([[], 1]);
    processes[0].tells('ready');
    expect([processes[0].connections, worker.load]).toEqual([['one'], 1]);
    processes[0].tells('closed');
    expect(worker.load).toBe(0);
  });

  it('is started again at once when it ends, and only later when it ends again and again', () => {
    processes[0].tells('ready');
    processes[0].emit('exit', 1, null);
    clock.advance(0);
    expect([processes.length, events]).toEqual([2, ['start', 'ready', 'exit 1', 'start']]);
    processes[1].emit('exit', 1, null);
    clock.advance(249);
    expect(processes).toHaveLength(2);
    clock.advance(1);
    expect(processes).toHaveLength(3);
    clock.advance(31_000);
    processes[2].emit('exit', null, 'SIGSEGV');
    clock.advance(0);
    expect([processes.length, events.at(-2)]).toEqual([4, 'exit 1']);
  });

  it('takes with it only the connections that it has: those that it has not taken yet go to the next process', () => {
    processes[0].tells('ready');
    const sent = connection('sent');
    processes[0].takes = false;
    const lost = connection('not taken');
    expect([sent.destroyed, lost.destroyed]).toEqual([true, false]);
    processes[0].emit('exit', null, 'SIGKILL');
    connection('later');
    clock.advance(0);
    processes[1].tells('ready');
    expect(processes[1].connections).toEqual(['not taken', 'later']);
  });

  it('counts no connection that its client closed on the way to it', () => {
    processes[0].tells('ready');
    processes[0].takes = false;
    connection('one').emit('close');
    processes[0].tells('taken', 1);
    expect(worker.load).toBe(1);
    processes[0].tells('closed');
    expect(worker.load).toBe(0);
  });

  it('leaves a connection to a process that has it, and answers it elsewhere when that process ends after 15 s', () => {
    let late = 0;
    processes[0].tells('ready');
    processes[0].takes = false;
    connection('one', () => (late += 1));
    clock.advance(15_000);
    expect(late).toBe(0);
    processes[0].emit('exit', null, 'SIGKILL');
    expect([late, worker.load]).toEqual([1, 0]);
  });

  it('answers a connection that waited 15 s for it elsewhere', () => {
    let late = 0;
    connection('one', () => (late += 1));
    clock.advance(14_999);
    expect(late).toBe(0);
    clock.advance(1);
    processes[0].tells('ready');
    expect([late, processes[0].connections]).toEqual([1, []]);
  });

  it('is killed when its event loop is blocked for more than 10 s', () => {
    processes[0].tells('ready');
    clock.advance(10_000);
    worker.check(false);
    expect(processes[0].killed).toEqual([]);
    clock.advance(1);
    worker.check(false);
    worker.check(false);
    expect(processes[0].killed).toEqual(['SIGKILL']);
  });

  it('is not killed while it says that it is alive, while it loads its code, or after the front itself did not run', () => {
    clock.advance(60_000);
    worker.check(false);
    processes[0].tells('ready');
    clock.advance(9000);
    processes[0].tells('alive');
    clock.advance(9000);
    worker.check(false);
    clock.advance(60_000);
    worker.check(true);
    expect(processes[0].killed).toEqual([]);
  });

  it('ends when it is told to, and is not started again', async () => {
    processes[0].tells('ready');
    const stopped = worker.stop(5000);
    expect(processes[0].sent.at(-1)?.topic).toBe('stop');
    expect(worker.isGone).toBe(false);
    processes[0].emit('exit', 0, null);
    await stopped;
    clock.advance(60_000);
    expect([processes.length, worker.isGone, processes[0].killed, clock.pending]).toEqual([1, true, [], 0]);
  });

  it('is killed when the proxy ends while it loads its code, and what waits for it is answered elsewhere', async () => {
    let late = 0;
    connection('one', () => (late += 1));
    const stopped = worker.stop(5000);
    expect([late, processes[0].killed]).toEqual([1, ['SIGKILL']]);
    connection('two', () => (late += 1));
    processes[0].emit('exit', null, 'SIGKILL');
    await stopped;
    expect([late, worker.load, clock.pending]).toEqual([2, 0, 0]);
  });

  it('is started again when the system could not create its process', () => {
    processes[0].pid = undefined;
    processes[0].emit('error', new Error('spawn EAGAIN'));
    clock.advance(0);
    startFails = true;
    processes[1].emit('exit', 1, null);
    clock.advance(250);
    startFails = false;
    clock.advance(500);
    expect([processes.length, events.at(-1)]).toEqual([3, 'start']);
  });

  it('is killed when it does not end in time', async () => {
    processes[0].tells('ready');
    const stopped = worker.stop(5000);
    clock.advance(5000);
    expect(processes[0].killed).toEqual(['SIGKILL']);
    processes[0].emit('exit', null, 'SIGKILL');
    await stopped;
  });

  it('is not started again when it has ended just before the shutdown', async () => {
    processes[0].emit('exit', 1, null);
    await worker.stop(5000);
    clock.advance(60_000);
    expect(processes).toHaveLength(1);
  });
});
