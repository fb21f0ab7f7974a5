/** Identifies a process by its pid and its start time, because the system reuses pids. */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

export interface ProcessRef {
  pid: number;
  /** Opaque start time; two processes with the same pid never have the same. */
  started: string;
}

const PS_TIMEOUT_MS = 2000;
/** Positions in /proc/<pid>/stat after the name in parentheses (proc(5), fields 3, 5 and 22). */
const STATE = 0;
const GROUP = 2;
const START_TIME = 19;

const hasProc = existsSync('/proc/self/stat');
/** Start times are relative to the boot, so the boot id is part of them. */
const bootId = hasProc ? readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim() : '';

/** The process that has this pid now; null when there is none, or only a zombie. */
export async function processOf(pid: number): Promise<(ProcessRef & { group: number }) | null> {
  return hasProc ? fromProc(pid) : fromPs(pid);
}

export async function isAlive({ pid, started }: ProcessRef): Promise<boolean> {
  return (await processOf(pid))?.started === started;
}

/** Parses `<pid> <started>` as the guard writes it; null for any other text. */
export function parseProcessRef(text: string): ProcessRef | null {
  const match = /^(\d+) (\S.*)$/.exec(text.trim());
  return match ? { pid: Number(match[1]), started: match[2] } : null;
}

async function fromProc(pid: number): Promise<(ProcessRef & { group: number }) | null> {
  let stat: string;
  try {
    stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ESRCH') return null;
    throw error;
  }
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (fields[STATE] === 'Z' || fields[STATE] === 'X') return null;
  return { pid, group: Number(fields[GROUP]), started: `${bootId}:${fields[START_TIME]}` };
}

/** For systems without /proc (macOS). */
async function fromPs(pid: number): Promise<(ProcessRef & { group: number }) | null> {
  const options = { timeout: PS_TIMEOUT_MS, env: { ...process.env, LC_ALL: 'C', TZ: 'UTC' } };
  try {
    const { stdout } = await promisify(execFile)('ps', ['-o', 'stat=,pgid=,lstart=', '-p', String(pid)], options);
    const [state, group, ...started] = stdout.trim().split(/\s+/);
    return state.startsWith('Z') ? null : { pid, group: Number(group), started: started.join(' ') };
  } catch (error) {
    // ps exits with 1 when there is no such process.
    if ((error as { code?: unknown }).code === 1) return null;
    throw error;
  }
}
