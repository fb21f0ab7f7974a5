import { spawn } from 'node:child_process';
import { until } from './until.js';

export interface Ran {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface ShellOptions {
  cwd: string;
  env?: Record<string, string>;
  limitMs?: number;
}

/** Runs lines of bash as an operator types them; rejects only if they do not finish in time. */
export function runShell(lines: string, { cwd, env = {}, limitMs = 60_000 }: ShellOptions): Promise<Ran> {
  const child = start(lines, cwd, env);
  const ran: Ran = { code: null, stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (ran.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (ran.stderr += text));
  return new Promise((resolve, reject) => {
    const limit = setTimeout(() => {
      kill(child.pid);
      reject(new Error(`not done within ${limitMs} ms: ${lines}\n${ran.stdout}\n${ran.stderr}`));
    }, limitMs);
    child.once('close', (code) => {
      clearTimeout(limit);
      resolve({ ...ran, code });
    });
  });
}

/**
 * Runs a command that only ends by Ctrl-C until its output contains `wanted`; resolves with the output. It runs in a terminal: `top` needs one,
 * and without a terminal `grep` buffers its output.
 */
export async function runUntilSaid(lines: string, wanted: RegExp, { cwd, env = {}, limitMs = 20_000 }: ShellOptions): Promise<string> {
  const child = start('exec script -qefc "$LINES_TO_RUN" /dev/null', cwd, { ...env, LINES_TO_RUN: lines, SHELL: '/bin/bash' });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (said += text));
  const ended = new Promise((resolve) => child.once('close', resolve));
  try {
    return await until(`${lines} says ${wanted}`, () => Promise.resolve(wanted.test(said) && said), limitMs);
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${said}`, { cause: error });
  } finally {
    // SIGTERM ends `script` only after two seconds; when it is killed, the commands in its terminal get SIGHUP.
    kill(child.pid, 'SIGKILL');
    await ended;
  }
}

/** In its own process group, so that all commands of a pipe can be stopped. */
function start(lines: string, cwd: string, env: Record<string, string>) {
  return spawn('bash', ['-c', lines], { cwd, env: { ...process.env, ...env }, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
}

function kill(group: number | undefined, signal: NodeJS.Signals = 'SIGTERM'): void {
  if (group === undefined) return;
  try {
    process.kill(-group, signal);
  } catch (error) {
    // It has already exited.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
