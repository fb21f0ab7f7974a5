import { accessSync, constants, existsSync, readFileSync, statfsSync } from 'node:fs';
import { createServer } from 'node:net';
import { availableParallelism, loadavg } from 'node:os';
import { dirname } from 'node:path';
import type { DiskFacts, MachineFacts } from '../facts.js';

/** State of a listening socket in /proc/net/tcp. */
const LISTENING = '0A';

export interface MachineQuestions {
  /** Folders that the services write to. */
  folders: readonly { what: string; path: string }[];
  ports: readonly { setting: string; port: number }[];
  /** Null if engines publish their ports on another host. */
  enginePorts: { first: number; last: number } | null;
  /** The process whose limits apply. */
  pid: number | 'self';
  builtAt: number;
}

/** Collects facts of the machine. Facts that only Linux provides are null on other systems. */
export async function lookAtMachine({ folders, ports, enginePorts, pid, builtAt }: MachineQuestions): Promise<MachineFacts> {
  return {
    node: process.version,
    processors: availableParallelism(),
    load: loadavg()[0],
    memory: memory(),
    openFiles: openFiles(pid),
    openFilesOfAll: openFilesOfAll(),
    builtAt,
    disks: folders.map(disk),
    ports: await Promise.all(ports.map(async ({ setting, port }) => ({ setting, port, taken: await isTaken(port) }))),
    enginePortsTaken: enginePorts && listeningWithin(enginePorts),
  };
}

/** Memory of the machine or the container's limit. Cached files count as free. */
function memory(): MachineFacts['memory'] {
  const kilobytes = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(read('/proc/meminfo') ?? '')?.[1] ?? NaN) * 1024;
  const total = kilobytes('MemTotal');
  const available = kilobytes('MemAvailable');
  if (Number.isNaN(total)) return { total: process.constrainedMemory(), available: process.availableMemory() };
  const limit = Number(read('/sys/fs/cgroup/memory.max') ?? NaN);
  if (!(limit < total)) return { total, available };
  const used = Number(read('/sys/fs/cgroup/memory.current') ?? 0);
  const cached = Number(/^inactive_file (\d+)/m.exec(read('/sys/fs/cgroup/memory.stat') ?? '')?.[1] ?? 0);
  return { total: limit, available: Math.min(available, limit - used + cached) };
}

function openFiles(pid: number | 'self'): number | null {
  const limit = /^Max open files\s+(\d+)/m.exec(read(`/proc/${pid}/limits`) ?? '');
  return limit && Number(limit[1]);
}

function openFilesOfAll(): MachineFacts['openFilesOfAll'] {
  const [used, , max] = (read('/proc/sys/fs/file-nr') ?? '').split(/\s+/).map(Number);
  return Number.isFinite(used) && Number.isFinite(max) ? { used, max } : null;
}

/** Checks the folder, or its nearest existing parent: the folder is created at the first start. */
function disk({ what, path }: { what: string; path: string }): DiskFacts {
  let folder = path;
  while (!existsSync(folder) && dirname(folder) !== folder) folder = dirname(folder);
  const { bavail, blocks, bsize } = statfsSync(folder);
  return { what, path, free: bavail * bsize, total: blocks * bsize, writable: isWritable(folder) };
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function isTaken(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code === 'EADDRINUSE'));
    server.listen(port, () => server.close(() => resolve(false)));
  });
}

function listeningWithin({ first, last }: { first: number; last: number }): number[] | null {
  const tables = ['/proc/net/tcp', '/proc/net/tcp6'].map(read);
  if (tables[0] === null) return null;
  const ports = tables.flatMap((table) => [...(table ?? '').matchAll(/^ *\d+: [0-9A-F]+:([0-9A-F]{4}) \S+ (\S\S)/gm)]);
  const listening = ports.filter(([, , state]) => state === LISTENING).map(([, port]) => parseInt(port, 16));
  return [...new Set(listening)].filter((port) => port >= first && port <= last);
}

/** Null if the file does not exist or cannot be read. */
function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
