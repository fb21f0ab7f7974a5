import type { EngineState } from '@acexy/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { engineState as engine } from '../../../../test/doubles/engine-state.js';
import { type SelectionContext, selectEngine } from './selection.policy.js';

const CONTEXT: SelectionContext = {
  proxyId: 'proxy',
  maxStreamsPerEngine: 1,
  exclude: new Set(),
  ownStreams: () => 0,
  isOurs: () => false,
  hasContent: () => false,
};

const chosen = (engines: EngineState[], changes: Partial<SelectionContext> = {}) =>
  selectEngine(engines, { ...CONTEXT, ...changes }).engine?.container_id ?? null;

describe('the engine chosen from a list', () => {
  it('is a healthy one before one of unknown health', () => {
    expect(chosen([engine('unknown', { health_status: 'unknown' }), engine('healthy')])).toBe('healthy');
  });

  it('is never unhealthy: such an engine may be draining', () => {
    expect(chosen([engine('sick', { health_status: 'unhealthy' })])).toBeNull();
  });

  it('is the one with the fewest streams, then one with a forwarded port, then the longest unused', () => {
    const busy = engine('busy', { streams: ['x'], forwarded: true });
    const plain = engine('plain', { last_stream_usage: '2026-01-01T10:00:00Z' });
    const longUnused = engine('long-unused', { last_stream_usage: '2026-01-01T09:00:00Z' });
    const forwarded = engine('forwarded', { forwarded: true, last_stream_usage: '2026-01-01T11:00:00Z' });
    const all = { maxStreamsPerEngine: 2 };
    expect(chosen([busy, plain, longUnused, forwarded], all)).toBe('forwarded');
    expect(chosen([busy, plain, longUnused], all)).toBe('long-unused');
    expect(chosen([busy], all)).toBe('busy');
  });

  it('is never full, counting own streams that the list does not show yet, and each stream once', () => {
    expect(chosen([engine('a', { streams: ['x'] })])).toBeNull();
    expect(chosen([engine('a')], { ownStreams: () => 1 })).toBeNull();
    expect(
      chosen([engine('a', { streams: ['mine'] })], { maxStreamsPerEngine: 2, ownStreams: () => 1, isOurs: (id) => id === 'mine' }),
    ).toBe('a');
    expect(chosen([engine('a', { streams: ['just-ended'] })], { isOurs: () => true })).toBe('a');
  });

  it('is an engine that was never used before a used one', () => {
    const used = engine('used', { last_stream_usage: '2026-01-01T10:00:00Z' });
    for (const id of ['a', 'b', 'c', 'd', 'e']) expect(chosen([used, engine(id)])).toBe(id);
  });

  it('is never excluded, and never plays the content already', () => {
    expect(chosen([engine('a'), engine('b')], { exclude: new Set(['a']) })).toBe('b');
    expect(chosen([engine('a'), engine('b')], { exclude: new Set(['b']) })).toBe('a');
    expect(chosen([engine('a')], { hasContent: () => true, maxStreamsPerEngine: 5 })).toBeNull();
  });

  it('is the same for one proxy in any order of the list, and differs between proxies', () => {
    const engines = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].map((id) => engine(id));
    fc.assert(
      fc.property(fc.shuffledSubarray(engines, { minLength: engines.length }), (list) => {
        expect(chosen(list)).toBe(chosen(engines));
      }),
    );
    const choices = new Set(Array.from({ length: 50 }, (_, index) => chosen(engines, { proxyId: `proxy-${index}` })));
    expect(choices.size).toBeGreaterThan(5);
  });

  it('comes with a verdict on every engine', () => {
    const { considered } = selectEngine([engine('a'), engine('b', { health_status: 'unhealthy' })], CONTEXT);
    expect(considered).toEqual([
      { containerId: 'a', verdict: 'chosen' },
      { containerId: 'b', verdict: 'unhealthy' },
    ]);
  });
});
