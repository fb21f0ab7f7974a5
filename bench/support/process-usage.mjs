/** What other processes use, from /proc. */
import { readFileSync } from 'node:fs';

/** A tick of Linux. */
const TICK_MS = 10;

/** CPU milliseconds of a process so far, or of its children that have ended. */
export function cpuMs(pid, { ofChildren = false } = {}) {
  // The name of the process, in parentheses, may contain spaces.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ')
    .map(Number);
  const [user, system] = ofChildren ? [13, 14] : [11, 12];
  return (fields[user] + fields[system]) * TICK_MS;
}

/** Resident memory. */
export function residentMegabytes(pid) {
  return (Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) * 1024) / 1e6;
}
