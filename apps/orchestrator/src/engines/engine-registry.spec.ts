import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../../test/doubles/fake-clock.js';
import { type EngineChange, wasNeverReady } from './engine.js';
import { EngineRegistry } from './engine-registry.js';
import { anInstance } from '../../../../test/doubles/orchestrator/engines.fixture.js';

function setUp() {
  const clock = new FakeClock();
  const registry = new EngineRegistry(clock);
  const changes: string[] = [];
  registry.onChange(({ type, engine, reason }: EngineChange) => changes.push([type, engine.id, reason].filter(Boolean).join(' ')));
  return { clock, registry, changes };
}

describe('the engine registry', () => {
  it('lists an engine as starting until its API has answered, then as ready and healthy', () => {
    const { registry, changes } = setUp();
    registry.add(anInstance('a'));
    expect(registry.get('a')).toMatchObject({ lifecycle: 'starting', health: 'unknown', answered: false });
    registry.ready('a');
    expect(registry.get('a')).toMatchObject({ lifecycle: 'ready', health: 'healthy', answered: true });
    expect(changes).toEqual(['added a started', 'ready a']);
  });

  it('reports stopped containers of an earlier run: they may still start, and keep their names and ports until they are cleared', () => {
    const { registry, changes } = setUp();
    const dead = anInstance('a', { state: 'exited' });
    const made = anInstance('b', { state: 'created' });
    expect(registry.observe([dead, made], registry.mark())).toEqual([dead, made]);
    expect([registry.all(), changes]).toEqual([[], ['remains a found exited', 'remains b found created']]);
    registry.observe([anInstance('a'), made, anInstance('c', { state: 'created' })], registry.mark());
    registry.observe([anInstance('a')], registry.mark());
    expect(changes.slice(2)).toEqual(['added a started', 'cleared b no longer there']);
  });

  it('treats an engine that was restarted from outside as a new one that has not answered yet', () => {
    const { registry, clock, changes } = setUp();
    const look = (maxUptimeMs: number | null) => registry.observe([anInstance('a', { maxUptimeMs })], registry.mark());
    look(1000);
    registry.ready('a');
    clock.advance(60_000);
    look(61_000);
    look(null);
    expect(registry.get('a')).toMatchObject({ lifecycle: 'ready' });
    look(2000);
    expect(registry.get('a')).toMatchObject({ lifecycle: 'starting', health: 'unknown', answered: false });
    expect(changes.slice(-2)).toEqual(['gone a restarted', 'added a started']);
    look(3000);
    expect(registry.get('a')).toMatchObject({ lifecycle: 'starting' });
  });

  it('reports since when a restarted engine may be running again: streams that began later are kept', () => {
    const { registry, clock } = setUp();
    const again: (number | undefined)[] = [];
    registry.onChange(({ type, restartedSince }) => type === 'gone' && again.push(restartedSince));
    registry.observe([anInstance('a', { maxUptimeMs: 1000 })], registry.mark());
    registry.ready('a');
    clock.advance(60_000);
    const mark = registry.mark();
    clock.advance(5000);
    registry.observe([anInstance('a', { maxUptimeMs: 2000 })], mark);
    expect(again).toEqual([clock.wallTime() - 7000]);
  });

  it('notices the restart of a new engine, and is not misled by a list that took long', () => {
    const { registry, clock } = setUp();
    registry.add(anInstance('a'));
    registry.ready('a');
    clock.advance(1300);
    const mark = registry.mark();
    clock.advance(5000);
    registry.observe([anInstance('a', { maxUptimeMs: 2000 })], mark);
    expect(registry.get('a')).toMatchObject({ lifecycle: 'ready' });
    registry.observe([anInstance('a', { maxUptimeMs: 1000 })], mark);
    expect(registry.get('a')).toMatchObject({ lifecycle: 'starting' });
  });

  it('counts an engine as idle from when it is ready, not from its start, and not while it is in use', () => {
    const { registry, clock } = setUp();
    registry.add(anInstance('a'));
    clock.advance(6000);
    registry.ready('a');
    expect(registry.get('a')?.idleSince).toBe(6000);
    registry.setUsage('a', ['s'], true);
    expect(registry.get('a')?.idleSince).toBeNull();
    clock.advance(1000);
    registry.setUsage('a', [], false);
    expect(registry.get('a')?.idleSince).toBe(7000);
  });

  it('takes over a list: adds new engines, removes missing ones, and returns dead ones to be removed', () => {
    const { registry, changes } = setUp();
    registry.add(anInstance('old'));
    const leftovers = registry.observe([anInstance('new'), anInstance('dead', { state: 'exited', exitCode: 3 })], registry.mark());
    expect(leftovers.map((instance) => instance.id)).toEqual(['dead']);
    expect(changes.slice(1)).toEqual(['gone old no longer there', 'added new found running', 'remains dead found exited']);
  });

  it('reports whether the container of a dead engine still exists, and when it is cleared', () => {
    const { registry, changes } = setUp();
    const remaining: (boolean | undefined)[] = [];
    registry.onChange(({ type, remains }) => type === 'gone' && remaining.push(remains));
    const dead = anInstance('a', { state: 'exited', exitCode: 1 });
    registry.observe([anInstance('a'), anInstance('b')], registry.mark());
    registry.observe([dead], registry.mark());
    registry.observe([dead], registry.mark());
    expect(changes.slice(2)).toEqual(['gone b no longer there', 'gone a died with exit code 1']);
    expect(remaining).toEqual([undefined, true]);
    registry.observe([], registry.mark());
    registry.gone('a', 'removed');
    expect(changes.slice(4)).toEqual(['cleared a no longer there']);
  });

  it('adds a dead engine that is started again, without a cleared event', () => {
    const { registry, changes } = setUp();
    registry.add(anInstance('a'));
    registry.observe([anInstance('a', { state: 'exited' })], registry.mark());
    registry.observe([anInstance('a')], registry.mark());
    expect(changes).toEqual(['added a started', 'gone a died', 'added a started']);
    registry.gone('a', 'removed');
    expect(changes.slice(3)).toEqual(['gone a removed']);
  });

  it('a list requested before an engine was added does not remove it', () => {
    const { registry } = setUp();
    const mark = registry.mark();
    registry.add(anInstance('a'));
    registry.observe([], mark);
    expect(registry.get('a')).toBeDefined();
    registry.observe([], registry.mark());
    expect(registry.get('a')).toBeUndefined();
  });

  it('a list requested before an engine was removed does not add it again', () => {
    const { registry } = setUp();
    registry.add(anInstance('a'));
    const mark = registry.mark();
    registry.gone('a', 'removed');
    registry.observe([anInstance('a')], mark);
    expect(registry.get('a')).toBeUndefined();
  });

  it('an engine that died and runs again under the same id is starting again', () => {
    const { registry } = setUp();
    registry.add(anInstance('a'));
    registry.ready('a');
    registry.observe([anInstance('a', { state: 'exited' })], registry.mark());
    registry.observe([anInstance('a')], registry.mark());
    expect(registry.get('a')).toMatchObject({ lifecycle: 'starting', answered: false });
  });

  it('only the engines of the first list are adopted', () => {
    const { registry } = setUp();
    registry.observe([anInstance('a')], registry.mark());
    registry.observe([anInstance('a'), anInstance('b')], registry.mark());
    expect([registry.get('a')?.adopted, registry.get('b')?.adopted]).toEqual([true, false]);
  });

  it('an engine drains once, and keeps draining when its health changes', () => {
    const { registry } = setUp();
    registry.add(anInstance('a'));
    registry.ready('a');
    expect(registry.startDraining('a', { reason: 'unhealthy', deadline: 5 })).toBe(true);
    expect(registry.startDraining('a', { reason: 'other', deadline: 6 })).toBe(false);
    registry.probed('a', 'healthy');
    registry.ready('a');
    expect(registry.get('a')).toMatchObject({ lifecycle: 'draining', drain: { reason: 'unhealthy', deadline: 5 } });
  });

  it('a probe that changes nothing emits no event', () => {
    const { registry, changes, clock } = setUp();
    registry.add(anInstance('a'));
    registry.ready('a');
    changes.length = 0;
    clock.advance(1000);
    registry.probed('a', 'healthy');
    expect(changes).toEqual([]);
    expect(registry.get('a')?.lastHealthCheck).toBe(clock.wallTime());
    registry.probed('a', 'unhealthy', 'silent');
    expect(changes).toEqual(['health a silent']);
  });

  it('an engine that ends by itself before it answered was never ready; a removed one does not count', () => {
    const { registry } = setUp();
    const gone: boolean[] = [];
    registry.onChange(({ type, engine }) => type === 'gone' && gone.push(wasNeverReady(engine)));
    for (const id of ['crashed', 'deleted', 'served']) registry.add(anInstance(id));
    registry.startDraining('deleted', { reason: 'deleted through the API', deadline: 0 });
    registry.ready('served');
    for (const id of ['crashed', 'deleted', 'served']) registry.gone(id, 'x');
    expect(gone).toEqual([true, false, false]);
  });

  it('generic containers are known, but are not engines', () => {
    const { registry } = setUp();
    registry.add(anInstance('a', { kind: 'generic' }));
    expect([registry.all().length, registry.everything().length]).toEqual([0, 1]);
  });
});
