/** What each part of the system needs while all streams play: CPU time from /proc, and what the viewers receive. */
import { docker } from '../support/docker.js';
import { machineSeconds, ProcessTable } from '../support/process-usage.js';
import type { Pair } from '../support/pair.js';

const INSPECTED_AT_ONCE = 8;

/** CPU seconds of each part; `rest` is Docker with its health checks, the kernel, and whatever else the machine does. */
export type CpuByPart = Record<'proxy' | 'orchestrator' | 'engines' | 'viewers' | 'rest', number>;

export interface SteadyUsage {
  seconds: number;
  cpuS: CpuByPart;
  /** CPU use of all processors, 0 to 1. */
  machineBusy: number;
  /** Gigabytes (10^9 bytes) that the viewers received. */
  gigabytes: number;
  /** Share of real time that the slowest viewer received. */
  slowest: number;
  /** Milliseconds by which each viewer is behind the engines at the end. */
  delaysMs: number[];
}

interface Snapshot {
  at: number;
  machine: ReturnType<typeof machineSeconds>;
  cpuS: Omit<CpuByPart, 'rest'>;
}

/** Measures from its creation to `finish`. */
export class SteadyPhase {
  private readonly before: Snapshot;

  private constructor(
    private readonly pair: Pair,
    private readonly engines: readonly number[],
  ) {
    this.before = this.snapshot();
  }

  /** @param label of the containers of the engines */
  static async start(pair: Pair, label: string): Promise<SteadyPhase> {
    return new SteadyPhase(pair, await enginePids(label));
  }

  finish(): Pick<SteadyUsage, 'seconds' | 'cpuS' | 'machineBusy'> {
    const [before, after] = [this.before, this.snapshot()];
    const difference = (part: keyof Snapshot['cpuS']): number => after.cpuS[part] - before.cpuS[part];
    const parts = {
      proxy: difference('proxy'),
      orchestrator: difference('orchestrator'),
      engines: difference('engines'),
      viewers: difference('viewers'),
    };
    const busy = after.machine.busy - before.machine.busy;
    const rest = busy - parts.proxy - parts.orchestrator - parts.engines - parts.viewers;
    return {
      seconds: (after.at - before.at) / 1000,
      cpuS: { ...parts, rest: Math.max(0, rest) },
      machineBusy: busy / (after.machine.all - before.machine.all),
    };
  }

  private snapshot(): Snapshot {
    const table = new ProcessTable();
    const { user, system } = process.cpuUsage();
    return {
      at: performance.now(),
      machine: machineSeconds(),
      cpuS: {
        proxy: table.usageOf(this.pair.proxy.pid).cpuS,
        orchestrator: table.usageOf(this.pair.orchestrator.pid).cpuS,
        engines: table.usageOf(...this.engines).cpuS,
        viewers: (user + system) / 1e6,
      },
    };
  }
}

/** Process ids of all running containers with this label. */
async function enginePids(label: string): Promise<number[]> {
  const found = await docker.listContainers({ filters: { label: [label] } });
  const pids: number[] = [];
  for (let at = 0; at < found.length; at += INSPECTED_AT_ONCE) {
    const some = await Promise.all(found.slice(at, at + INSPECTED_AT_ONCE).map(({ Id }) => docker.getContainer(Id).inspect()));
    pids.push(...some.map(({ State }) => State.Pid));
  }
  return pids;
}
