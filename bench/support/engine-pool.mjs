/**
 * Many simulated engines in one process, so that a hundred of them leave processor time to what is measured. Each has its own loopback address, as
 * the engines of fake-runtime-orchestrator.mjs.
 */
import { once } from 'node:events';
import { Engine } from '../../apps/engine-simulator/dist/engine.js';
import { readOptions } from '../../apps/engine-simulator/dist/options/engine-options.js';
import { engineHost } from './engine-host.mjs';

const [{ count, ports, env }] = await once(process, 'message');
const [http, https, api, p2p] = ports;
const args = ['--http-port', http, '--https-port', https, '--api-port', api, '--port', p2p].map(String);
const { options, settings } = readOptions(args, { SIM_BOOT_MS: '0', SIM_API_DELAY_MS: '0', ...env }, () => '');
const hooks = { log: () => undefined, exit: (code) => process.exit(code) };
const engines = Array.from({ length: count }, (_, index) => {
  const host = engineHost(index);
  return new Engine({ ...options, host, engineId: host }, settings, hooks);
});
// They play the same picture: one copy in memory.
for (const engine of engines) engine.context.broadcasts = engines[0].context.broadcasts;
await Promise.all(engines.map((engine) => engine.boot()));
process.send('listening');
