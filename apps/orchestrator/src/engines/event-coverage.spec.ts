import { describe, expect, it } from 'vitest';
import type { EngineInstance, InstanceState, RuntimeEvent } from '../runtime/engine-runtime.js';
import { EventCoverage } from './event-coverage.js';

/** Lists every 10 s, and events between them. */
class Watched {
  private readonly coverage = new EventCoverage();
  private now = 0;

  hears(type: 'started' | 'died' | 'removed', id: string): this {
    return this.on({ type, id });
  }

  on(event: RuntimeEvent): this {
    this.coverage.heard(event, this.now);
    return this;
  }

  lists(engines: Record<string, InstanceState>): this {
    this.now += 10_000;
    this.coverage.listed(
      Object.entries(engines).map(([id, state]) => ({ id, state }) as EngineInstance),
      this.now,
    );
    return this;
  }

  get missing(): boolean {
    return this.coverage.eventsMissing;
  }
}

describe('events that do not arrive', () => {
  it.each([
    ['started', {}, { a: 'running' }],
    ['died', { a: 'running' }, { a: 'exited' }],
    ['was removed', { a: 'running' }, {}],
    ['started again', { a: 'exited' }, { a: 'running' }],
  ] as const)('are missing when lists show that an engine %s and no event comes', (_what, before, after) => {
    const watched = new Watched().lists(before).lists(after);
    expect(watched.missing).toBe(false);
    expect(watched.lists(after).missing).toBe(true);
  });

  it('are not missing when the event comes before the list or after it', () => {
    const watched = new Watched().lists({}).hears('started', 'a').lists({ a: 'running' }).lists({ a: 'running' });
    expect(watched.missing).toBe(false);
    expect(watched.lists({ a: 'exited' }).hears('died', 'a').lists({ a: 'exited' }).lists({ a: 'exited' }).missing).toBe(false);
  });

  it('are not missing while nothing changes, and not after the first list', () => {
    expect(new Watched().lists({ a: 'running' }).lists({ a: 'running' }).lists({ a: 'running' }).missing).toBe(false);
  });

  it('are not missing for changes while the subscription was interrupted', () => {
    const watched = new Watched().lists({ a: 'running' }).on({ type: 'lost' }).lists({}).lists({});
    expect(watched.missing).toBe(false);
  });

  it('are back when one arrives', () => {
    const watched = new Watched().lists({}).lists({ a: 'running' }).lists({ a: 'running' }).hears('died', 'a');
    expect(watched.missing).toBe(false);
  });
});
