import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../../test/doubles/fake-clock.js';
import { OneShotTimer } from './one-shot-timer.js';

describe('OneShotTimer', () => {
  function setup(): { clock: FakeClock; timer: OneShotTimer; firedAt: number[] } {
    const clock = new FakeClock();
    const firedAt: number[] = [];
    return { clock, firedAt, timer: new OneShotTimer(clock, () => firedAt.push(clock.now())) };
  }

  it('fires once, at its time', () => {
    const { clock, timer, firedAt } = setup();
    timer.set(100);
    clock.advance(500);
    expect(firedAt).toEqual([100]);
  });

  it('keeps its time when it is set again before it fires', () => {
    const { clock, timer, firedAt } = setup();
    timer.set(100);
    clock.advance(50);
    timer.set(100);
    clock.advance(500);
    expect(firedAt).toEqual([100]);
  });

  it('does not fire after clear, and can be set again', () => {
    const { clock, timer, firedAt } = setup();
    timer.set(100);
    timer.clear();
    clock.advance(200);
    timer.set(100);
    clock.advance(200);
    expect(firedAt).toEqual([300]);
  });
});
