/** The simulated Gluetun as a process. See README.md for its variables and its orders. */
import { once } from 'node:events';
import type { Server } from 'node:http';
import { createFaultApi } from './fault-api.js';
import { createControlServer } from './control-server.js';
import { TunnelTarget } from './tunnel-target.js';
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
  const tunnelTarget = new TunnelTarget(options.tunnelTargetPort);
  vpn.onChange((state) => {
    tunnelTarget.setReachable(state.tunnel);
    console.log(JSON.stringify(state));
  });
  await listen(createFaultApi(vpn), options.faultApiPort, options.faultApiHost);
  await listen(createControlServer(vpn, options.role, options.generation), options.controlPort, '0.0.0.0');
  vpn.start();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => process.exit(0));
}

run().catch((error: unknown) => {
  console.error(error instanceof OptionError ? `gluetun simulator: ${error.message}` : error);
  process.exit(1);
});
