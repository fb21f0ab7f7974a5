import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { FaultBook } from '../faults/fault-book.js';
import { knobsFromEnvironment } from '../faults/knobs.js';
import { NetworkState } from './network-state.js';

const CONTENT = { infohash: 'c'.repeat(40), id: null, knobs: {} };

describe('an engine behind a tunnel', () => {
  let state: NetworkState;
  afterEach(() => state.close());

  const until = async (check: () => boolean): Promise<void> => {
    while (!check()) await new Promise((resolve) => setTimeout(resolve, 20));
  };

  it('has no network, and nothing to play, while what is behind the tunnel does not answer', async () => {
    const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    state = new NetworkState(new FaultBook(knobsFromEnvironment({ SIM_TUNNEL_PROBE: `127.0.0.1:${port}` })), Date.now);
    await until(() => state.connected);
    expect(state.starves(CONTENT)).toBe(false);
    server.close();
    await once(server, 'close');
    await until(() => !state.connected);
    expect(state.starves(CONTENT)).toBe(true);
    server.listen(port, '127.0.0.1');
    await until(() => state.connected);
    expect(state.starves(CONTENT)).toBe(false);
    server.close();
  });

  it('that names none has network by the knob alone', () => {
    state = new NetworkState(new FaultBook(knobsFromEnvironment({ SIM_CONNECTED: 'no' })), Date.now);
    expect([state.connected, state.starves(CONTENT)]).toEqual([false, false]);
  });
});
