/** Resources of a running proxy, read from its metrics. */
export interface ProcessResources {
  readonly files: number;
  readonly timers: number;
  /** Bytes. */
  readonly resident: number;
  readonly heap: number;
}

export async function processResourcesOf(proxyUrl: string): Promise<ProcessResources> {
  const text = await (await fetch(`${proxyUrl}/metrics`)).text();
  const value = (name: string): number => {
    const line = text.split('\n').find((candidate) => candidate.startsWith(`${name} `));
    if (line === undefined) throw new Error(`the metrics do not tell ${name}`);
    return Number(line.slice(name.length + 1));
  };
  return {
    files: value('process_open_fds'),
    timers: text.includes('nodejs_active_resources{type="Timeout"}') ? value('nodejs_active_resources{type="Timeout"}') : 0,
    resident: value('process_resident_memory_bytes'),
    heap: value('nodejs_heap_size_used_bytes'),
  };
}
