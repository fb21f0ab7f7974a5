import { describe, expect, it } from 'vitest';
import { chooseSlot, givesPort, portsOf, type TunnelForSlot } from './vpn-slots.policy.js';

const tunnel = (index: number, changes: Partial<TunnelForSlot> = {}): TunnelForSlot => ({
  name: `vpn${index}`,
  index,
  open: true,
  trial: false,
  engines: 0,
  forwardedPort: null,
  portTaken: false,
  ...changes,
});

describe('the next engine', () => {
  it('goes behind the VPN that carries the fewest', () => {
    expect(chooseSlot([tunnel(0, { engines: 2 }), tunnel(1, { engines: 1 })], 20)?.index).toBe(1);
    expect(chooseSlot([tunnel(0), tunnel(1)], 20)?.index).toBe(0);
  });

  it('goes where the forwarded port waits for it, all else being equal', () => {
    expect(chooseSlot([tunnel(0), tunnel(1, { forwardedPort: 51_413 })], 20)?.index).toBe(1);
    expect(chooseSlot([tunnel(0), tunnel(1, { forwardedPort: 51_413, portTaken: true })], 20)?.index).toBe(0);
  });

  it('goes behind none that is down or full, and behind one that is in doubt only where no other is up', () => {
    expect(chooseSlot([tunnel(0, { open: false }), tunnel(1, { engines: 20 })], 20)).toBeNull();
    expect(chooseSlot([tunnel(0, { trial: true }), tunnel(1, { engines: 9 })], 20)?.index).toBe(1);
    expect(chooseSlot([tunnel(0, { trial: true })], 20)?.index).toBe(0);
  });

  it('gets the forwarded port unless another has it, and never on trial', () => {
    expect(givesPort(tunnel(0, { forwardedPort: 51_413 }))).toBe(true);
    expect(givesPort(tunnel(0, { forwardedPort: 51_413, portTaken: true }))).toBe(false);
    expect(givesPort(tunnel(0, { forwardedPort: 51_413, trial: true }))).toBe(false);
  });

  it('has its port in the stretch of its VPN', () => {
    const range = { first: 19_000, last: 19_999 };
    expect(portsOf(0, 20, range)).toEqual({ first: 19_000, last: 19_019 });
    expect(portsOf(1, 20, range)).toEqual({ first: 19_020, last: 19_039 });
  });
});
