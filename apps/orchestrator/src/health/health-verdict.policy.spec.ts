import { describe, expect, it } from 'vitest';
import { healthVerdict, type ProbeHistory } from './health-verdict.policy.js';

function after(probes: string, start: ProbeHistory = { health: 'unknown', failures: 0 }): string {
  return [...probes].reduce((history, probe) => healthVerdict(history, probe === '+', 3), start).health;
}

describe('the health verdict', () => {
  it.each([
    ['+', 'healthy'],
    ['+--', 'healthy'],
    ['+---', 'unhealthy'],
    ['+--+--', 'healthy'],
    ['---', 'unhealthy'],
    ['--', 'unknown'],
    ['-----+', 'healthy'],
    ['---+--', 'healthy'],
  ])('after the probes %s is %s', (probes, health) => {
    expect(after(probes)).toBe(health);
  });
});
