import { EventEmitter } from 'node:events';
import { SILENT_LOG } from '@acexy/service-kit';
import { describe, expect, it } from 'vitest';
import { type ChildOfFront, WorkerStarter } from './worker-starter.js';

class FakeChild extends EventEmitter {
  killed = false;
  kill(): boolean {
    this.killed = true;
    return true;
  }
}

function makeStarter() {
  const created: FakeChild[] = [];
  const facts = { fails: false };
  const create = (): ChildOfFront => {
    if (facts.fails) throw new Error('spawn ENOMEM');
    created.push(new FakeChild());
    return created[created.length - 1] as unknown as ChildOfFront;
  };
  return { starter: new WorkerStarter(create, SILENT_LOG), created, facts };
}

describe('the processes of workers', () => {
  it('include one that has loaded its code before the next worker ends', () => {
    const { starter, created } = makeStarter();
    const first = starter.start();
    starter.prepare();
    starter.prepare();
    expect(created).toHaveLength(2);
    expect(starter.start()).toBe(created[1]);
    starter.prepare();
    expect(created).toHaveLength(3);
    expect(first).toBe(created[0]);
  });

  it('are created when they are needed if the spare one has ended or could not be created', () => {
    const { starter, created, facts } = makeStarter();
    starter.prepare();
    created[0].emit('exit', null, 'SIGKILL');
    expect(starter.start()).toBe(created[1]);
    starter.prepare();
    created[2].emit('error', new Error('spawn EAGAIN'));
    facts.fails = true;
    starter.prepare();
    facts.fails = false;
    expect(starter.start()).toBe(created[3]);
  });

  it('end with the proxy, the spare one too', () => {
    const { starter, created } = makeStarter();
    starter.prepare();
    starter.stop();
    expect(created[0].killed).toBe(true);
  });
});
