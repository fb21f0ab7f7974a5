import { describe, expect, it } from 'vitest';
import { chooseSlot, portForNext, portsOf, type TunnelForSlot } from './vpn-slots.policy.js';

const tunnel = (index: number, changes: Partial<TunnelForSlot> = {}): TunnelForSlot => ({
  name: `vpn${index}`,
  index,
  open: true,
  canary: false,
  engines: 0,
  freePort: null,
  ...changes,
});

describe('the next engine', () => {
  it('goes to the VPN with the fewest engines', () => {
    expect(chooseSlot([tunnel(0, { engines: 2 }), tunnel(1, { engines: 1 })], 20)?.index).toBe(1);
    expect(chooseSlot([tunnel(1), tunnel(0, { engines: 1 })], 20)?.index).toBe(1);
    for (const equal of [
      [tunnel(0), tunnel(1)],
      [tunnel(1), tunnel(0)],
    ])
      expect(chooseSlot(equal, 20)?.index).toBe(0);
  });

  it('goes to the VPN with a free forwarded port if all else is equal', () => {
    expect(chooseSlot([tunnel(0), tunnel(1, { freePort: 51_413 })], 20)?.index).toBe(1);
  });

  it('goes to no VPN that is down or full, and to a suspect one only if no other is up', () => {
    expect(chooseSlot([tunnel(0, { open: false }), tunnel(1, { engines: 20 })], 20)).toBeNull();
    expect(chooseSlot([tunnel(0, { canary: true }), tunnel(1, { engines: 9 })], 20)?.index).toBe(1);
    expect(chooseSlot([tunnel(0, { canary: true })], 20)?.index).toBe(0);
  });

  it('gets a forwarded port that no engine uses, and never as a canary', () => {
    expect(portForNext(tunnel(0, { freePort: 51_413 }))).toBe(51_413);
    expect(portForNext(tunnel(0))).toBeNull();
    expect(portForNext(tunnel(0, { freePort: 51_413, canary: true }))).toBeNull();
  });

  it('gets its port from the range of its VPN', () => {
    const range = { first: 19_000, last: 19_999 };
    expect(portsOf(0, 20, range)).toEqual({ first: 19_000, last: 19_019 });
    expect(portsOf(1, 20, range)).toEqual({ first: 19_020, last: 19_039 });
  });
});
