/** The limits of this process: those of its control group (of Linux, version 1 or 2), of all groups above it, and of the machine. */
import { readFileSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';

/** The text of a file without white space around it; null if it cannot be read. */
export type ReadText = (file: string) => string | null;

interface ControlGroup {
  version: 1 | 2;
  folder: string;
}

const ROOT = '/sys/fs/cgroup';
/** Number, controllers (none: version 2), and path of the group, which may be of another mount: a container sees its own group as the root. */
const LINE = /^\d+:([^:]*):(\/.*)$/;

/** Bytes of memory that this process may use. */
export function memoryLimit(machine = totalmem(), read: ReadText = textOf): number {
  const limits = groupsOf('memory', read).flatMap(({ version, folder }) =>
    (version === 2 ? ['memory.max', 'memory.high'] : ['memory.limit_in_bytes']).map((file) => Number(read(`${folder}/${file}`) ?? 0)),
  );
  return Math.min(machine, ...limits.filter((limit) => limit > 0));
}

/** Whole processor cores that this process may use, at least one. A quota of 2.5 cores counts as 2: a third process would take its time from the other two. */
export function availableCores(machine = availableParallelism(), read: ReadText = textOf): number {
  const shares = groupsOf('cpu', read).map(({ version, folder }) => {
    // Microseconds; `max` or -1: no limit.
    const [quota, period] =
      version === 2
        ? (read(`${folder}/cpu.max`) ?? '').split(' ')
        : ['quota', 'period'].map((name) => read(`${folder}/cpu.cfs_${name}_us`));
    return Number(quota ?? 0) / Number(period ?? 0);
  });
  return Math.max(1, Math.floor(Math.min(machine, ...shares.filter((share) => share > 0))));
}

/** The groups of this process that may limit the controller, from its own up to the root. */
function groupsOf(controller: 'memory' | 'cpu', read: ReadText): ControlGroup[] {
  return (read('/proc/self/cgroup') ?? '').split('\n').flatMap((line) => {
    const [, controllers, path] = LINE.exec(line) ?? [];
    const version = controllers === '' ? 2 : 1;
    if (controllers === undefined || (version === 1 && !controllers.split(',').includes(controller))) return [];
    const root = version === 2 ? ROOT : `${ROOT}/${controller}`;
    const names = path.split('/').filter((name) => name !== '' && name !== '..');
    return names
      .map((_, index) => `${root}/${names.slice(0, names.length - index).join('/')}`)
      .concat(root)
      .map((folder) => ({ version, folder }));
  });
}

function textOf(file: string): string | null {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return null; // another system, version or mount
  }
}
