/** The simulated Gluetun as a process. See README.md for its variables and its orders. */
import { once } from 'node:events';
import type { Server } from 'node:http';
import { createBadDayApi } from './fault-api.js';
import { createControlServer } from './control-server.js';
import { FarEnd } from './tunnel-target.js';
import { readOptions } from './options.js';
import { OptionError } from './roles.js';
import { SimulatedVpn } from './simulated-vpn.js';

async function listen(server: Server, port: number, host: string): Promise<void> {
  server.listen(port, host);
  await once(server, 'listening');
}

async function run(): Promise<void> {
  const options = readOptions(process.env);
  const vpn = new SimulatedVpn(options.vpn);
  const farEnd = new FarEnd(options.farEndPort);
  vpn.onChange((state) => {
    farEnd.carry(state.tunnel);
    console.log(JSON.stringify(state));
  });
  await listen(createBadDayApi(vpn), options.badDayPort, options.badDayHost);
  await listen(createControlServer(vpn, options.role, options.generation), options.controlPort, '0.0.0.0');
  vpn.start();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => process.exit(0));
}

run().catch((error: unknown) => {
  console.error(error instanceof OptionError ? `gluetun simulator: ${error.message}` : error);
  process.exit(1);
});
