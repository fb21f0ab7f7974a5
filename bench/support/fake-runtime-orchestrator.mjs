/**
 * The orchestrator on a fake runtime: its engines are entries in a map, each with its own loopback address. They listen on `enginePort`; without it, one
 * listener here answers for all.
 */
import { SILENT_LOG, loadAllSettings } from '@acexy/service-kit';
import { Test } from '@nestjs/testing';
import { once } from 'node:events';
import http from 'node:http';
import path from 'node:path';
import { apiServer, configureApp } from '../../apps/orchestrator/dist/app/configure-app.js';
import { AppModule } from '../../apps/orchestrator/dist/app/app.module.js';
import { ReconcileService } from '../../apps/orchestrator/dist/autoscaling/reconcile.service.js';
import { ENGINE_RUNTIME } from '../../apps/orchestrator/dist/runtime/engine-runtime.js';
import { ORCHESTRATOR_SETTINGS } from '../../apps/orchestrator/dist/settings.js';
import { engineHost } from './engine-host.mjs';

const ROUNDS = 300;

class FakeRuntime {
  name = 'process';
  networkOwners = null;
  engines = new Map();
  listeners = new Set();

  constructor(port) {
    this.port = port;
  }
  async open() {}
  async close() {}
  preparing() {
    return null;
  }
  image() {
    return null;
  }
  async start({ name, kind, labels, ports }) {
    const index = this.engines.size;
    const id = index.toString(16).padStart(12, '0');
    const host = engineHost(index);
    const engine = {
      id,
      name,
      kind,
      image: 'fake',
      state: 'running',
      host,
      port: this.port,
      ports,
      labels,
      published: {},
      createdAt: Date.now(),
      upAtMostMs: null,
      exitCode: null,
      networkOwner: null,
    };
    this.engines.set(id, engine);
    return engine;
  }
  async list() {
    return [...this.engines.values()];
  }
  async remove(id) {
    this.engines.delete(id);
  }
  watch(listener) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
}

/** The port on which one listener answers for all engines. */
async function listenForAll() {
  const server = http.createServer((_request, response) =>
    response.setHeader('Content-Type', 'application/json').end('{"result":{"playlist_loaded":true}}'),
  );
  server.listen(0, '0.0.0.0');
  await once(server, 'listening');
  return server.address().port;
}

const [{ folder, count, key, maximum = count + 100, enginePort = await listenForAll() }] = await once(process, 'message');
const settings = loadAllSettings(ORCHESTRATOR_SETTINGS, {
  API_KEY: key,
  DB_URL: `sqlite:///${path.join(folder, 'bench.db')}`,
  DATA_DIR: folder,
  MIN_REPLICAS: String(count),
  MAX_REPLICAS: String(maximum),
  MAX_CONCURRENT_PROVISIONS: '100',
  MIN_PROVISION_INTERVAL_S: '0',
  PORT_RANGE_HOST: '10000-19999',
  ACE_HTTPS_RANGE: '20000-29999',
  ACE_API_RANGE: '30000-39999',
  ACE_P2P_RANGE: '40000-49999',
});
const testing = await Test.createTestingModule({ imports: [AppModule.with(settings, SILENT_LOG)] })
  .overrideProvider(ENGINE_RUNTIME)
  .useValue(new FakeRuntime(enginePort))
  .compile();
const app = testing.createNestApplication(apiServer(settings, SILENT_LOG), { bodyParser: false, logger: false });
configureApp(app, settings, SILENT_LOG);
await app.listen(0, '127.0.0.1');
process.send({ port: app.getHttpServer().address().port });
const ANSWERS = {
  /** CPU seconds of this process so far. */
  cpu: () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  },
  /** Milliseconds of each round. */
  rounds: () => {
    const reconcile = app.get(ReconcileService, { strict: false });
    return Array.from({ length: ROUNDS }, () => {
      const startedAt = performance.now();
      reconcile['round']();
      return performance.now() - startedAt;
    });
  },
};
process.on('message', (what) => process.send(ANSWERS[what]()));
for (const end of ['SIGTERM', 'disconnect']) process.once(end, () => process.exit());
