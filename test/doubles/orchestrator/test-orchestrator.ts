import { loadAllSettings, SILENT_LOG } from '@acexy/service-kit';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { Test } from '@nestjs/testing';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { collectDefaultMetrics, register } from 'prom-client';
import request from 'supertest';
import { apiServer, configureApp } from '../../../apps/orchestrator/src/app/configure-app.js';
import { AppModule } from '../../../apps/orchestrator/src/app/app.module.js';
import { ENGINE_RUNTIME, type EngineInstance, type EngineSpec } from '../../../apps/orchestrator/src/runtime/engine-runtime.js';
import { ScriptedServer, replyJson } from '../scripted-server.js';
import { FakeEngineHost, FakeEngineRuntime } from './fake-engine-runtime.js';
import { ORCHESTRATOR_SETTINGS } from '../../../apps/orchestrator/src/settings.js';

export const API_KEY = 'test-key';
/** Below the ephemeral ports: Linux assigns 32768 and above, other systems start higher. */
const PORT_RANGES = { ACE_HTTPS_RANGE: '20000-20999', ACE_API_RANGE: '21000-21999', ACE_P2P_RANGE: '22000-22999' };

/** A fake runtime whose engines listen: each answers health checks on its port. */
export class ListeningEngines extends FakeEngineRuntime {
  /** Names of engines that accept connections but do not answer; `all` for every engine. */
  readonly silent = new Set<string>();
  /** Reply to the `stat` call of a session; by default the session is unknown. */
  statReply: object = { response: null, error: 'unknown playback session id' };
  /** Paths of the requests to the engines. */
  readonly requests: string[] = [];
  protected readonly servers: Map<string, ScriptedServer>;

  constructor(world: FakeEngineHost = new FakeEngineHost(), servers = new Map<string, ScriptedServer>()) {
    super(world);
    this.servers = servers;
  }

  /** The runtime of the next start of the service, with the same engines. */
  restarted(): ListeningEngines {
    return new ListeningEngines(this.world, this.servers);
  }

  override async start(spec: EngineSpec, signal: AbortSignal): Promise<EngineInstance> {
    // A port that the system assigns is free, whatever else runs on the machine.
    const server = await this.listen(spec.name);
    const { port } = server;
    try {
      return await super.start({ ...spec, ports: { ...spec.ports, http: port } }, signal);
    } catch (error) {
      await this.unlisten(spec.name);
      throw error;
    }
  }

  override async remove(id: string): Promise<void> {
    const name = this.world.engines.get(id)?.name;
    await super.remove(id);
    if (name !== undefined) await this.unlisten(name);
  }

  async closeServers(): Promise<void> {
    await Promise.all([...this.servers.keys()].map((id) => this.unlisten(id)));
  }

  private async listen(name: string): Promise<ScriptedServer> {
    const server = new ScriptedServer((response, { path }) => {
      this.requests.push(path);
      if (this.silent.has('all') || this.silent.has(name)) return;
      replyJson(response, 200, path.startsWith('/ace/stat') ? this.statReply : { result: { playlist_loaded: true, connected: true } });
    });
    this.servers.set(name, server);
    await server.listen();
    return server;
  }

  private async unlisten(name: string): Promise<void> {
    const server = this.servers.get(name);
    this.servers.delete(name);
    await server?.kill();
  }
}

export interface TestOrchestrator {
  app: NestExpressApplication;
  runtime: ListeningEngines;
  http: ReturnType<typeof request>;
  /** Stops the service as SIGTERM does; the engines keep running. */
  stop(): Promise<void>;
  /** Stops the service and the engines. */
  close(): Promise<void>;
}

export interface TestOptions {
  env?: Record<string, string>;
  runtime?: ListeningEngines;
  /** Folder with the database of an earlier start. */
  folder?: string;
}

/** The complete service with fake engines, and a database in its own folder. */
export async function startOrchestrator({
  env = {},
  runtime = new ListeningEngines(),
  folder = mkdtempSync(join(tmpdir(), 'orchestrator-')),
}: TestOptions = {}): Promise<TestOrchestrator> {
  const settings = loadAllSettings(ORCHESTRATOR_SETTINGS, {
    API_KEY,
    DB_URL: `sqlite:///${join(folder, 'test.db')}`,
    DATA_DIR: folder,
    MIN_REPLICAS: '0',
    MIN_PROVISION_INTERVAL_S: '0',
    MONITOR_INTERVAL_S: '1',
    // The HTTP ports of these engines are assigned by the system: no other port of an engine may be equal.
    ...PORT_RANGES,
    // A test that needs statistics sets it.
    COLLECT_INTERVAL_S: '3600',
    ...env,
  });
  // The module registers them when it is loaded, which may have been for an earlier test file.
  if (register.getSingleMetric('process_cpu_seconds_total') === undefined) collectDefaultMetrics();
  const testing = await Test.createTestingModule({ imports: [AppModule.with(settings, SILENT_LOG)] })
    .overrideProvider(ENGINE_RUNTIME)
    .useValue(runtime)
    .compile();
  const app = testing.createNestApplication<NestExpressApplication>(apiServer(settings, SILENT_LOG), { bodyParser: false, logger: false });
  configureApp(app, settings, SILENT_LOG);
  await app.listen(0, '127.0.0.1');
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => (stopped ??= app.close());
  return {
    app,
    runtime,
    http: request(app.getHttpServer()),
    stop,
    close: async () => {
      await stop();
      await runtime.closeServers();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export const AUTH = { Authorization: `Bearer ${API_KEY}` };

export function leaseRequest(overrides: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    request_id: randomUUID(),
    proxy_id: randomUUID(),
    boot_id: randomUUID(),
    key_type: 'content_id',
    key: randomUUID().replaceAll('-', '').padEnd(40, '0'),
    exclude: [],
    purpose: 'start',
    wait_ms: 5000,
    ...overrides,
  };
}

/** Repeats `ask` until `check` accepts its result. */
export async function eventually<T>(ask: () => T | Promise<T>, check: (value: T) => boolean, limitMs = 30_000): Promise<T> {
  const end = performance.now() + limitMs;
  for (;;) {
    const value = await ask();
    if (check(value)) return value;
    if (performance.now() > end) throw new Error(`not accepted within ${limitMs} ms: ${JSON.stringify(value)}`);
    await sleep(5);
  }
}
