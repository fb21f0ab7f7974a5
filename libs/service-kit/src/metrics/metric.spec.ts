import { register } from 'prom-client';
import { beforeEach, describe, expect, it } from 'vitest';
import { counterOf } from './metric.js';

describe('a counter', () => {
  beforeEach(() => register.clear());

  const series = async () => (await register.metrics()).split('\n').filter((line) => line.startsWith('failovers_total'));

  it('starts at 0 for every combination of the given label values', async () => {
    counterOf('failovers_total', 'Failovers', { cause: ['eof', 'stall'], outcome: ['exact', 'keyframe'] });
    expect(await series()).toEqual([
      'failovers_total{cause="eof",outcome="exact"} 0',
      'failovers_total{cause="eof",outcome="keyframe"} 0',
      'failovers_total{cause="stall",outcome="exact"} 0',
      'failovers_total{cause="stall",outcome="keyframe"} 0',
    ]);
  });

  it('has no series at first when only the names of its labels are given', async () => {
    const counter = counterOf('failovers_total', 'Failovers', ['cause']);
    expect(await series()).toEqual([]);
    counter.inc({ cause: 'eof' });
    expect(await series()).toEqual(['failovers_total{cause="eof"} 1']);
  });

  it('without labels starts at 0, and is shared by all who name it', async () => {
    expect(counterOf('failovers_total', 'Failovers')).toBe(counterOf('failovers_total', 'Failovers'));
    expect(await series()).toEqual(['failovers_total 0']);
  });
});
