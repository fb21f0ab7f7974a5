/** Collects what the running services report. */
import type { EnginesHealthStatus, OrchestratorStatus, VpnStatus } from '@acexy/contracts';
import type { OrchestratorFacts, ProxyFacts } from '../facts.js';
import { Scrape } from '../scrape.js';
import { type Answer, objectOf, probe, typicalMs } from './http-probe.js';

interface ReadyBody {
  error?: Record<string, { message?: string }>;
  info?: { orchestrator?: { state?: string } };
  image?: { name: string; state: string; percent: number | null; reason: string | null };
  provisioning?: { in_progress: number; queued: number; remaining: number };
}

export async function askOrchestrator(url: string, key: string | undefined, proxyKey: string | undefined): Promise<OrchestratorFacts> {
  try {
    const ready = await probe(`${url}/health/ready`);
    const body = objectOf(ready, 200, 503) as ReadyBody | null;
    if (body?.provisioning === undefined) return { reached: false, url, problem: 'another program answers there' };
    const [scrape, status, health, vpn, keyAccepted, proxyKeyAccepted] = await Promise.all([
      scrapeOf(url),
      bodyOf<OrchestratorStatus>(`${url}/orchestrator/status`),
      bodyOf<EnginesHealthStatus>(`${url}/health/status`),
      bodyOf<VpnStatus>(`${url}/vpn/status`),
      acceptsKey(url, key),
      acceptsKey(url, proxyKey),
    ]);
    const latencyMs = { engines: await typicalMs(`${url}/engines`), streams: await typicalMs(`${url}/streams?status=started`) };
    const { in_progress: inProgress, queued, remaining } = body.provisioning;
    return {
      ...commonFacts(url, ready, scrape, 'orch_build_info'),
      latencyMs,
      status,
      health,
      vpn,
      image: body.image ?? null,
      provisioning: { inProgress, queued, remaining },
      keyAccepted,
      proxyKeyAccepted,
    };
  } catch (error) {
    return { reached: false, url, problem: (error as Error).message };
  }
}

export async function askProxy(url: string): Promise<ProxyFacts> {
  try {
    const ready = await probe(`${url}/health/ready`);
    const body = objectOf(ready, 200, 503) as ReadyBody | null;
    if (body?.info === undefined) return { reached: false, url, problem: 'another program answers there' };
    const scrape = await scrapeOf(url);
    const { state } = body.info.orchestrator ?? {};
    const orchestrator = state === 'reachable' || state === 'away' || state === 'not set' ? state : 'unknown';
    return { ...commonFacts(url, ready, scrape, 'acexy_build_info'), latencyMs: await typicalMs(`${url}/ace/status`), orchestrator };
  } catch (error) {
    return { reached: false, url, problem: (error as Error).message };
  }
}

function commonFacts(url: string, ready: Answer, scrape: Scrape | null, buildInfo: string) {
  const { error } = (objectOf(ready, 503) ?? {}) as ReadyBody;
  return {
    reached: true as const,
    url,
    clockOffsetMs: ready.date === null ? null : ready.date - Date.now(),
    version: scrape?.label(buildInfo, 'version') ?? null,
    scrape,
    ready: { status: ready.status, problems: Object.entries(error ?? {}).map(([name, { message }]) => `${name}: ${message ?? 'down'}`) },
  };
}

async function scrapeOf(url: string): Promise<Scrape | null> {
  const { status, text } = await probe(`${url}/metrics`);
  return status === 200 ? Scrape.parse(text) : null;
}

async function bodyOf<T>(url: string): Promise<T | null> {
  return objectOf(await probe(url), 200) as T | null;
}

/** Tries a protected call that changes nothing. */
async function acceptsKey(url: string, key: string | undefined): Promise<boolean | null> {
  if (key === undefined) return null;
  const { status } = await probe(`${url}/autoscaler/decisions`, key);
  return status !== 401;
}
