import type { EngineAddress } from '@acexy/engine-client';
import type { Engine } from '../engines/engine.js';

export interface EngineHint {
  containerId?: string | null;
  host: string;
  port: number;
}

const LOOPBACK = /^(localhost|127(\.\d+){3}|::1|\[::1\])$/i;

/**
 * The engine that a client means (wire API 1.3): by container id, else by host and port. If the host is a loopback name or unknown, by the published
 * port, if only one engine has it. Other proxies send the id of their own container, or none.
 */
export function findEngine(engines: readonly Engine[], { containerId, host, port }: EngineHint): Engine | null {
  const byId = engines.find((engine) => engine.id === containerId);
  if (byId) return byId;
  const byAddress = engines.find(({ instance }) => instance.port === port && sameHost(instance.host, host));
  if (byAddress) return byAddress;
  const isOurs = engines.some(({ instance }) => sameHost(instance.host, host));
  if (isOurs && !LOOPBACK.test(host)) return null;
  const byPort = engines.filter((engine) => publishes(engine, port));
  return byPort.length === 1 ? byPort[0] : null;
}

/** The id of the engine that a client means, or null, and its address: the registered one if the engine is known. */
export function locateEngine(
  engines: readonly Engine[],
  containerId: string | null | undefined,
  { host, port }: EngineAddress,
): { engine: string | null; address: EngineAddress } {
  const engine = findEngine(engines, { containerId, host, port });
  return engine
    ? { engine: engine.id, address: { host: engine.instance.host, port: engine.instance.port } }
    : { engine: null, address: { host: host || 'unknown', port } };
}

function sameHost(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

function publishes({ instance }: Engine, port: number): boolean {
  if (instance.port === port) return true;
  return Object.values(instance.published).some((bindings) => bindings?.some(({ HostPort }) => HostPort === String(port)) ?? false);
}
