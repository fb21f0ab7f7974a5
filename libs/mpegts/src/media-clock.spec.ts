import { describe, expect, it } from 'vitest';
import { MediaClock } from './media-clock.js';
import { CLOCK_27M } from './packet.js';
import { WRAP_27M } from './timestamps.js';

describe('media time', () => {
  it('is the progress of the PCR, also over its wrap', () => {
    const clock = new MediaClock(() => 0);
    clock.start();
    clock.tick(WRAP_27M - CLOCK_27M);
    clock.tick(CLOCK_27M / 2);
    expect(clock.elapsedMs).toBe(1500);
  });

  it('does not count discontinuities, neither forward nor back', () => {
    const clock = new MediaClock(() => 0);
    clock.tick(0);
    clock.tick(CLOCK_27M);
    clock.tick(3600 * CLOCK_27M);
    clock.tick(5 * CLOCK_27M);
    clock.tick(6 * CLOCK_27M);
    expect(clock.elapsedMs).toBe(2000);
  });

  it('is wall time until there is a PCR, and continues from there', () => {
    let now = 100;
    const clock = new MediaClock(() => now);
    expect(clock.elapsedMs).toBe(0);
    clock.start();
    now = 400;
    expect(clock.elapsedMs).toBe(300);
    clock.tick(77 * CLOCK_27M);
    clock.tick(78 * CLOCK_27M);
    now = 9000;
    expect(clock.elapsedMs).toBe(1300);
  });
});
