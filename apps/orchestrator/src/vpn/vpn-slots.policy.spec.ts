import { describe, expect, it } from 'vitest';
import { chooseSlot, getsPort, portsOf, type TunnelForSlot } from './vpn-slots.policy.js';

const tunnel = (index: number, changes: Partial<TunnelForSlot> = {}): TunnelForSlot => ({
  name: `vpn${index}`,
  index,
  open: true,
  canary: false,
  engines: 0,
  forwardedPort: null,
  portTaken: false,
  ...changes,
});

describe('the next engine', () => {
  it('goes to the VPN with the fewest engines', () => {
    expect(chooseSlot([tunnel(0, { engines: 2 }), tunnel(1, { engines: 1 })], 20)?.index).toBe(1);
    expect(chooseSlot([tunnel(0), tunnel(1)], 20)?.index).toBe(0);
  });

  it('goes to the VPN with a free forwarded port if all else is equal', () => {
    expect(chooseSlot([tunnel(0), tunnel(1, { forwardedPort: 51_413 })], 20)?.index).toBe(1);
    expect(chooseSlot([tunnel(0), tunnel(1, { forwardedPort: 51_413, portTaken: true })], 20)?.index).toBe(0);
  });

  it('goes to no VPN that is down or full, and to a suspect one only if no other is up', () => {
    expect(chooseSlot([tunnel(0, { open: false }), tunnel(1, { engines: 20 })], 20)).toBeNull();
    expect(chooseSlot([tunnel(0, { canary: true }), tunnel(1, { engines: 9 })], 20)?.index).toBe(1);
    expect(chooseSlot([tunnel(0, { canary: true })], 20)?.index).toBe(0);
  });

  it('gets the forwarded port unless another engine uses it, and never as a canary', () => {
    expect(getsPort(tunnel(0, { forwardedPort: 51_413 }))).toBe(true);
    expect(getsPort(tunnel(0, { forwardedPort: 51_413, portTaken: true }))).toBe(false);
    expect(getsPort(tunnel(0, { forwardedPort: 51_413, canary: true }))).toBe(false);
  });

  it('gets its port from the range of its VPN', () => {
    const range = { first: 19_000, last: 19_999 };
    expect(portsOf(0, 20, range)).toEqual({ first: 19_000, last: 19_019 });
    expect(portsOf(1, 20, range)).toEqual({ first: 19_020, last: 19_039 });
  });
});
