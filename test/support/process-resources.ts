import { scrapeOf } from './scrape-of.js';

/** Resources of a running proxy, read from its metrics. */
export interface ProcessResources {
  readonly files: number;
  readonly timers: number;
  /** Bytes. */
  readonly resident: number;
  readonly heap: number;
}

export async function processResourcesOf(proxyUrl: string): Promise<ProcessResources> {
  const scrape = await scrapeOf(proxyUrl);
  const value = (name: string): number => {
    const sum = scrape.sum(name);
    if (sum === null) throw new Error(`${proxyUrl}/metrics has no ${name}`);
    return sum;
  };
  return {
    files: value('process_open_fds'),
    timers: scrape.sum('nodejs_active_resources', { type: 'Timeout' }) ?? 0,
    resident: value('process_resident_memory_bytes'),
    heap: value('nodejs_heap_size_used_bytes'),
  };
}
