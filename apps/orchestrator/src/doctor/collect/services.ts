/** Collects what the running services report. */
import { lookup } from 'node:dns/promises';
import type { EnginesHealthStatus, OrchestratorStatus, VpnStatus } from '@acexy/contracts';
import type { OrchestratorFacts, ProxyFacts } from '../facts.js';
import { Scrape } from '../scrape.js';
import { objectOf, probe, typicalMs } from './http-probe.js';

interface ReadyBody {
  error?: Record<string, { message?: string }>;
  info?: { orchestrator?: { state?: string }; runtime?: { message?: string } };
  image?: { name: string; state: string; percent: number | null; reason: string | null };
  provisioning?: { queued: number; remaining: number };
}

export function askOrchestrator(url: string, key: string | undefined, proxyKey: string | undefined): Promise<OrchestratorFacts> {
  return ask(url, 'orch_build_info', async ({ provisioning, image, info }) => {
    if (provisioning === undefined) return null;
    const [status, health, vpn, keyAccepted, proxyKeyAccepted] = await Promise.all([
      bodyOf<OrchestratorStatus>(`${url}/orchestrator/status`),
      bodyOf<EnginesHealthStatus>(`${url}/health/status`),
      bodyOf<VpnStatus>(`${url}/vpn/status`),
      acceptsKey(url, key),
      acceptsKey(url, proxyKey),
    ]);
    const latencyMs = { engines: await typicalMs(`${url}/engines`), streams: await typicalMs(`${url}/streams?status=started`) };
    return {
      latencyMs,
      status,
      health,
      vpn,
      image: image ?? null,
      runtimeNote: info?.runtime?.message ?? null,
      provisioning,
      keyAccepted,
      proxyKeyAccepted,
    };
  });
}

const LINK_STATES = ['reachable', 'away', 'unauthorized', 'not set'] as const;

export function askProxy(url: string): Promise<ProxyFacts> {
  return ask(url, 'acexy_build_info', async ({ info }) => {
    if (info === undefined) return null;
    const orchestrator = LINK_STATES.find((state) => state === info.orchestrator?.state) ?? 'unknown';
    return { latencyMs: await typicalMs(`${url}/ace/status`), orchestrator };
  });
}

/** One URL for each address of a name in Docker, which all replicas of a service share. With one address, or none, the URL stays as it is. */
export async function replicasAt(url: string, addressesOf = lookup as AddressLookup): Promise<string[]> {
  const { protocol, hostname, port } = new URL(url);
  // Without an answer, the call to the service reports why.
  const addresses = await addressesOf(hostname, { all: true, family: 4 }).catch(() => []);
  return addresses.length < 2 ? [url] : addresses.map(({ address }) => `${protocol}//${address}:${port}`).sort();
}

type AddressLookup = (name: string, options: { all: true; family: 4 }) => Promise<{ address: string }[]>;

/** @param factsOf the facts of this service, from its reply to `/health/ready`; null if the reply is of another program */
async function ask<T extends object>(url: string, buildInfo: string, factsOf: (ready: ReadyBody) => Promise<T | null>) {
  try {
    const ready = await probe(`${url}/health/ready`);
    const clockOffsetMs = ready.date === null ? null : ready.date - Date.now();
    const body = objectOf(ready, 200, 503) as ReadyBody | null;
    const own = body && (await factsOf(body));
    if (!own) return { reached: false as const, url, problem: 'another program answers there' };
    const scrape = await scrapeOf(url);
    const problems = Object.entries(body.error ?? {}).map(([name, { message }]) => `${name}: ${message ?? 'down'}`);
    const version = scrape?.label(buildInfo, 'version') ?? null;
    return { reached: true as const, url, clockOffsetMs, version, scrape, ready: { status: ready.status, problems }, ...own };
  } catch (error) {
    return { reached: false as const, url, problem: (error as Error).message };
  }
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
