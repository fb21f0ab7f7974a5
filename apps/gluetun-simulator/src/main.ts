/** Runs the simulated Gluetun as a process. README.md describes its variables and its fault API. */
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import type { Server } from 'node:http';
import { createFaultApi } from './fault-api.js';
import { createControlServer } from './control-server.js';
import { TunnelTarget } from './tunnel-target.js';
import { OptionError } from './option-error.js';
import { readOptions } from './options.js';
import { TunnelProbe } from './tunnel-probe.js';
import { VpnConnection } from './vpn-connection.js';

async function listen(server: Server, port: number, host: string): Promise<void> {
  server.listen(port, host);
  await once(server, 'listening');
}

async function run(): Promise<void> {
  const roleFile = process.env.HTTP_CONTROL_SERVER_AUTH_CONFIG_FILEPATH || '/gluetun/auth/config.toml';
  const options = readOptions(process.env, existsSync(roleFile) ? readFileSync(roleFile, 'utf8') : null);
  const vpn = new VpnConnection(options.vpn);
  const tunnelTarget = new TunnelTarget(options.tunnelTargetPort);
  vpn.onChange((state) => {
    tunnelTarget.setReachable(state.tunnel);
    console.log(JSON.stringify(state));
  });
  await listen(createFaultApi(vpn), options.faultApiPort, options.faultApiHost);
  await listen(createControlServer(vpn, options.roles, options.version), options.controlPort, '0.0.0.0');
  if (options.probe) new TunnelProbe(options.probe, vpn).start();
  else vpn.connect();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => process.exit(0));
}

run().catch((error: unknown) => {
  console.error(error instanceof OptionError ? `gluetun simulator: ${error.message}` : error);
  process.exit(1);
});
