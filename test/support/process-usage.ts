/** CPU time and memory of processes with their descendants, from /proc of Linux. */
import { readdirSync, readFileSync } from 'node:fs';

const TICKS_PER_SECOND = 100;
const PAGE_MB = 4096 / 1e6;

export interface ProcessUsage {
  /** CPU seconds since the start, with those of descendants that have ended. */
  readonly cpuS: number;
  readonly memoryMb: number;
}

interface ListedProcess extends ProcessUsage {
  readonly parent: number;
}

/** All processes at one moment. */
export class ProcessTable {
  private readonly processes = new Map<number, ListedProcess>();

  constructor() {
    for (const name of readdirSync('/proc')) {
      const pid = Number(name);
      const stat = Number.isInteger(pid) ? statOf(pid) : null;
      if (stat !== null) this.processes.set(pid, stat);
    }
  }

  /** The sum over these processes and all their descendants; a process that has ended counts nothing. */
  usageOf(...roots: readonly number[]): ProcessUsage {
    const counted = new Set(roots);
    // A descendant may come before its parent, so passes repeat until nothing is added.
    for (let size = 0; size < counted.size;) {
      size = counted.size;
      for (const [pid, { parent }] of this.processes) if (counted.has(parent)) counted.add(pid);
    }
    const found = [...counted].flatMap((pid) => this.processes.get(pid) ?? []);
    return { cpuS: found.reduce((sum, { cpuS }) => sum + cpuS, 0), memoryMb: found.reduce((sum, { memoryMb }) => sum + memoryMb, 0) };
  }
}

function statOf(pid: number): ListedProcess | null {
  try {
    // The name in parentheses may contain spaces; the fields after it are numbers (proc_pid_stat(5)).
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')
      .map(Number);
    const ticks = fields[11] + fields[12] + fields[13] + fields[14];
    return { parent: fields[1], cpuS: ticks / TICKS_PER_SECOND, memoryMb: fields[21] * PAGE_MB };
  } catch {
    return null; // It has ended.
  }
}

/** CPU seconds of all processors since boot: busy and total. */
export function machineSeconds(): { busy: number; all: number } {
  const ticks = readFileSync('/proc/stat', 'utf8').split('\n')[0].trim().split(/\s+/).slice(1, 9).map(Number);
  const all = ticks.reduce((sum, each) => sum + each, 0);
  // The fourth value is idle time, the fifth is I/O wait.
  return { busy: (all - ticks[3] - ticks[4]) / TICKS_PER_SECOND, all: all / TICKS_PER_SECOND };
}
