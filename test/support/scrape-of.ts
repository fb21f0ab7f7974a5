import { Scrape } from '../../apps/orchestrator/src/doctor/scrape.js';

const LIMIT_MS = 30_000;

/** The metrics of a running service. */
export async function scrapeOf(serviceUrl: string): Promise<Scrape> {
  return Scrape.parse(await (await fetch(`${serviceUrl}/metrics`, { signal: AbortSignal.timeout(LIMIT_MS) })).text());
}
