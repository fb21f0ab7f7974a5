import { totalmem } from 'node:os';
import { expect, it } from 'vitest';
import { limitOf, memoryLimit } from './memory-limit.js';

it('the memory limit is that of the control group, or the memory of the machine if that is less or there is no limit', () => {
  expect(limitOf(512, 2048)).toBe(512);
  expect(limitOf(2 ** 64, 2048)).toBe(2048);
  expect(limitOf(0, 2048)).toBe(2048);
  expect(limitOf(undefined, 2048)).toBe(2048);
  expect(memoryLimit()).toBeGreaterThan(64 * 2 ** 20);
  expect(memoryLimit()).toBeLessThanOrEqual(totalmem());
});
