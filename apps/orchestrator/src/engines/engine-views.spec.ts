import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../../test/doubles/fake-clock.js';
import { EngineRegistry } from './engine-registry.js';
import { EngineViews } from './engine-views.service.js';
import { anInstance } from '../../../../test/doubles/orchestrator/engines.fixture.js';

const ENGINES = ['a', 'b', 'c'];

function setUp() {
  const clock = new FakeClock();
  const registry = new EngineRegistry(clock);
  return { clock, registry, views: new EngineViews(registry) };
}

type World = ReturnType<typeof setUp>;

/** Everything that can happen to an engine and that clients can see. */
const HAPPENINGS: Record<string, (world: World, id: string) => void> = {
  starts: ({ registry }, id) => registry.add(anInstance(id)),
  answers: ({ registry }, id) => registry.ready(id),
  'is seen elsewhere': ({ registry }, id) =>
    registry.get(id) && registry.add(anInstance(id, { host: 'elsewhere', labels: { moved: 'yes' } })),
  'is seen': ({ registry, clock }, id) => {
    clock.advance(1000);
    const { instance } = registry.get(id) ?? {};
    if (instance) registry.add({ ...instance });
  },
  'is probed': ({ registry, clock }, id) => {
    clock.advance(1000);
    registry.probed(id, registry.get(id)?.health ?? 'unknown');
  },
  'falls ill': ({ registry }, id) => registry.probed(id, 'unhealthy', 'silent'),
  recovers: ({ registry }, id) => registry.probed(id, 'healthy'),
  'is cut off': ({ registry }, id) => registry.networkSeen(id, { cutOff: 'its VPN is down', forwarded: false }),
  'has the port': ({ registry }, id) => registry.networkSeen(id, { cutOff: null, forwarded: true }),
  drains: ({ registry, clock }, id) => registry.startDraining(id, { reason: 'test', deadline: clock.wallTime() }),
  plays: ({ registry }, id) => registry.setUsage(id, [`stream on ${id}`], true),
  'plays no more': ({ registry }, id) => registry.setUsage(id, [], false),
  'is leased': ({ registry, clock }, id) => {
    clock.advance(1000);
    registry.setUsage(id, registry.get(id)?.streams ?? [], true);
  },
  goes: ({ registry }, id) => registry.gone(id, 'test'),
};

describe('the ETag and the JSON of the engine list', () => {
  it('are the same as newly computed ones after every change', () => {
    const step = fc.tuple(fc.constantFrom(...Object.keys(HAPPENINGS)), fc.constantFrom(...ENGINES));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
        const world = setUp();
        for (const [what, id] of steps) {
          HAPPENINGS[what](world, id);
          const fresh = new EngineViews(world.registry);
          for (const all of [false, true]) {
            expect([what, world.views.etag(all)]).toEqual([what, fresh.etag(all)]);
            expect([what, world.views.json(all).toString()]).toEqual([what, JSON.stringify(fresh.list(all))]);
          }
        }
      }),
    );
  });

  it('the ETag does not change when an engine is only listed or probed again, and is computed once', () => {
    const world = setUp();
    HAPPENINGS.starts(world, 'a');
    HAPPENINGS.answers(world, 'a');
    const etag = world.views.etag(false);
    const before = world.registry.version;
    HAPPENINGS['is seen'](world, 'a');
    HAPPENINGS['is probed'](world, 'a');
    expect([world.views.etag(false), world.registry.version]).toEqual([etag, before]);
    HAPPENINGS['falls ill'](world, 'a');
    expect(world.views.etag(false)).not.toBe(etag);
  });
});
