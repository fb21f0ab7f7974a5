/** How many processor cores this process may use: the cores of the machine, its CPU affinity and the quota of its container. */
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/** `<quota> <period>` in microseconds, or `max <period>`. */
const QUOTA_V2 = '/sys/fs/cgroup/cpu.max';
const QUOTA_V1 = '/sys/fs/cgroup/cpu/cpu.cfs_quota_us';
const PERIOD_V1 = '/sys/fs/cgroup/cpu/cpu.cfs_period_us';

export type ReadText = (file: string) => string | null;

/** Whole cores, at least one. A quota of 2.5 cores counts as 2: a third worker would take its time from the other two. */
export function availableCores(cores = availableParallelism(), read: ReadText = textOf): number {
  const [quota, period] = read(QUOTA_V2)?.split(' ') ?? [read(QUOTA_V1), read(PERIOD_V1)];
  const share = Number(quota ?? Number.NaN) / Number(period ?? Number.NaN);
  return Math.max(1, Math.min(cores, share > 0 ? Math.floor(share) : cores));
}

function textOf(file: string): string | null {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return null; // no container, or the other version of cgroups
  }
}
