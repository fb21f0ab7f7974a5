import { Setting, SettingsGroup } from '@acexy/service-kit/settings';
import { availableCores, memoryLimit } from '@acexy/service-kit/primitives';

export const MAX_WORKERS = 64;
/** A process with 100 streams uses about 300 MB, half of it for its own code and heap. */
const MEMORY_OF_WORKER = 512 * 2 ** 20;

/** `auto`, or the number of workers. @throws RangeError that says what is valid */
export function parseWorkers(text: string): number | 'auto' {
  if (text === 'auto') return 'auto';
  const count = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (count < 1 || count > MAX_WORKERS) throw new RangeError(`must be auto or a whole number from 1 to ${MAX_WORKERS}`);
  return count;
}

/** How many processes carry the streams. */
@SettingsGroup('Workers')
export class WorkerSettings {
  @Setting({
    name: 'ACEXY_WORKERS',
    type: 'string',
    default: '1',
    check: parseWorkers,
    help: 'Number of worker processes that carry the streams; `auto`: one for each available processor core, with at least 512 MiB of memory for each. With 1, one process does everything',
  })
  workers!: string;
}

/** 1: no front is needed. */
export function workerCount({ workers }: WorkerSettings, cores = () => availableCores(), memoryBytes = () => memoryLimit()): number {
  const count = parseWorkers(workers);
  if (count !== 'auto') return count;
  return Math.max(1, Math.min(MAX_WORKERS, cores(), Math.floor(memoryBytes() / MEMORY_OF_WORKER)));
}
