import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { machineSeconds, ProcessTable } from './process-usage.js';

describe.skipIf(!existsSync('/proc/self/stat'))('usage of processes', () => {
  it('contains the memory of descendants', async () => {
    const shell = spawn('sh', ['-c', '"$0" -e "console.log(1); setInterval(() => 0, 1e6)" & wait', process.execPath], { detached: true });
    await once(shell.stdout, 'data');
    const { memoryMb } = new ProcessTable().usageOf(shell.pid!);
    process.kill(-shell.pid!, 'SIGKILL');
    // The shell alone takes less than 10 MB, Node more than 30 MB.
    expect(memoryMb).toBeGreaterThan(20);
  });

  it('contains the CPU time that Node reports for itself', () => {
    const { user, system } = process.cpuUsage();
    expect(new ProcessTable().usageOf(process.pid).cpuS).toBeGreaterThan((user + system) / 1e6 - 0.1);
  });

  it('is nothing for a process that has ended', () => {
    expect(new ProcessTable().usageOf(2 ** 30)).toEqual({ cpuS: 0, memoryMb: 0 });
  });

  it('knows the busy time of the machine', () => {
    const { busy, all } = machineSeconds();
    expect(busy).toBeGreaterThan(0);
    expect(all).toBeGreaterThan(busy);
  });
});
