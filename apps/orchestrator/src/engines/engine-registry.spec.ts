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
  it('knows an engine as starting until its API has answered, then as ready and healthy', () => {
    const { registry, changes } = setUp();
    registry.add(anInstance('a'));
    expect(registry.get('a')).toMatchObject({ lifecycle: 'starting', health: 'unknown', answered: false });
    registry.ready('a');
    expect(registry.get('a')).toMatchObject({ lifecycle: 'ready', health: 'healthy', answered: true });
    expect(changes).toEqual(['added a started', 'ready a']);
  });

  it('tells of what an earlier run left dead or not yet started: it may come up yet, and until it is cleared away it has its name and ports', () => {
    const { registry, changes } = setUp();
    const dead = anInstance('a', { state: 'exited' });
    const made = anInstance('b', { state: 'created' });
    expect(registry.observe([dead, made], registry.mark())).toEqual([dead, made]);
    expect([registry.all(), changes]).toEqual([[], ['remains a found exited', 'remains b found created']]);
    registry.observe([anInstance('a'), made, anInstance('c', { state: 'created' })], registry.mark());
    registry.observe([anInstance('a')], registry.mark());
    expect(changes.slice(2)).toEqual(['added a started', 'cleared b no longer there']);
  });

  it('takes an engine that was restarted behind our back for a new one that has yet to answer', () => {
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

  it('says of one that was restarted since when it may run again: what began after that is not lost', () => {
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

  it('notices the restart of a young engine, too, and is not misled by a list that was long under way', () => {
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

  it('is idle from when it is ready, not from when it began to start, and not while it is used', () => {
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

  it('takes over a list: new ones are found, missing ones are gone, dead ones are handed back to be cleared away', () => {
    const { registry, changes } = setUp();
    registry.add(anInstance('old'));
    const leftovers = registry.observe([anInstance('new'), anInstance('dead', { state: 'exited', exitCode: 3 })], registry.mark());
    expect(leftovers.map((instance) => instance.id)).toEqual(['dead']);
    expect(changes.slice(1)).toEqual(['gone old no longer there', 'added new found running', 'remains dead found exited']);
  });

  it('tells of one that died whether its container is still there, and when that is cleared away', () => {
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

  it('one that died and is brought up again is added, and nothing of it was cleared away', () => {
    const { registry, changes } = setUp();
    registry.add(anInstance('a'));
    registry.observe([anInstance('a', { state: 'exited' })], registry.mark());
    registry.observe([anInstance('a')], registry.mark());
    expect(changes).toEqual(['added a started', 'gone a died', 'added a started']);
    registry.gone('a', 'removed');
    expect(changes.slice(3)).toEqual(['gone a removed']);
  });

  it('a list that was begun before an engine came does not take it away', () => {
    const { registry } = setUp();
    const mark = registry.mark();
    registry.add(anInstance('a'));
    registry.observe([], mark);
    expect(registry.get('a')).toBeDefined();
    registry.observe([], registry.mark());
    expect(registry.get('a')).toBeUndefined();
  });

  it('a list that was begun before an engine went does not bring it back', () => {
    const { registry } = setUp();
    registry.add(anInstance('a'));
    const mark = registry.mark();
    registry.gone('a', 'removed');
    registry.observe([anInstance('a')], mark);
    expect(registry.get('a')).toBeUndefined();
  });

  it('an engine that died and runs again under the same id starts anew', () => {
    const { registry } = setUp();
    registry.add(anInstance('a'));
    registry.ready('a');
    registry.observe([anInstance('a', { state: 'exited' })], registry.mark());
    registry.observe([anInstance('a')], registry.mark());
    expect(registry.get('a')).toMatchObject({ lifecycle: 'starting', answered: false });
  });

  it('only the engines of the first list were started by an earlier run', () => {
    const { registry } = setUp();
    registry.observe([anInstance('a')], registry.mark());
    registry.observe([anInstance('a'), anInstance('b')], registry.mark());
    expect([registry.get('a')?.adopted, registry.get('b')?.adopted]).toEqual([true, false]);
  });

  it('drains once, and stays draining whatever its health becomes', () => {
    const { registry } = setUp();
    registry.add(anInstance('a'));
    registry.ready('a');
    expect(registry.startDraining('a', { reason: 'unhealthy', deadline: 5 })).toBe(true);
    expect(registry.startDraining('a', { reason: 'other', deadline: 6 })).toBe(false);
    registry.probed('a', 'healthy');
    registry.ready('a');
    expect(registry.get('a')).toMatchObject({ lifecycle: 'draining', drain: { reason: 'unhealthy', deadline: 5 } });
  });

  it('a probe that changes nothing is no news', () => {
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

  it('an engine that goes by itself before it answered was never ready; one that we removed is another matter', () => {
    const { registry } = setUp();
    const gone: boolean[] = [];
    registry.onChange(({ type, engine }) => type === 'gone' && gone.push(wasNeverReady(engine)));
    for (const id of ['crashed', 'deleted', 'served']) registry.add(anInstance(id));
    registry.startDraining('deleted', { reason: 'deleted through the API', deadline: 0 });
    registry.ready('served');
    for (const id of ['crashed', 'deleted', 'served']) registry.gone(id, 'x');
    expect(gone).toEqual([true, false, false]);
  });

  it('containers that are no engines are known but never among the engines', () => {
    const { registry } = setUp();
    registry.add(anInstance('a', { kind: 'generic' }));
    expect([registry.all().length, registry.everything().length]).toEqual([0, 1]);
  });
});
