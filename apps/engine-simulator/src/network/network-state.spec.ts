import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { FaultInjector } from '../faults/fault-injector.js';
import { settingsFromEnvironment } from '../faults/simulator-settings.js';
import { NetworkState } from './network-state.js';

const CONTENT = { infohash: 'c'.repeat(40), id: null, settings: {} };

describe('engine behind a tunnel', () => {
  let state: NetworkState;
  afterEach(() => state.close());

  const until = async (check: () => boolean): Promise<void> => {
    while (!check()) await new Promise((resolve) => setTimeout(resolve, 20));
  };

  it('has no network and starves while the probe target does not answer', async () => {
    const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    state = new NetworkState(new FaultInjector(settingsFromEnvironment({ SIM_TUNNEL_PROBE: `127.0.0.1:${port}` })), Date.now);
    await until(() => state.connected);
    expect(state.isStarving(CONTENT)).toBe(false);
    server.close();
    await once(server, 'close');
    await until(() => !state.connected);
    expect(state.isStarving(CONTENT)).toBe(true);
    server.listen(port, '127.0.0.1');
    await until(() => state.connected);
    expect(state.isStarving(CONTENT)).toBe(false);
    server.close();
  });

  it('uses only the setting if it has no probe target', () => {
    state = new NetworkState(new FaultInjector(settingsFromEnvironment({ SIM_CONNECTED: 'no' })), Date.now);
    expect([state.connected, state.isStarving(CONTENT)]).toEqual([false, false]);
  });
});
