import { spawn } from 'node:child_process';
import { until } from './until.js';

export interface ShellResult {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface ShellOptions {
  cwd: string;
  env?: Record<string, string>;
  limitMs?: number;
}

/** Runs bash commands as an operator types them; rejects only if they do not finish in time. */
export function runShell(lines: string, { cwd, env = {}, limitMs = 60_000 }: ShellOptions): Promise<ShellResult> {
  const child = start(lines, cwd, env);
  const result: ShellResult = { code: null, stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (result.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (result.stderr += text));
  return new Promise((resolve, reject) => {
    const limit = setTimeout(() => {
      kill(child.pid);
      reject(new Error(`not finished within ${limitMs} ms: ${lines}\n${result.stdout}\n${result.stderr}`));
    }, limitMs);
    child.once('close', (code) => {
      clearTimeout(limit);
      resolve({ ...result, code });
    });
  });
}

/**
 * Runs a command that only Ctrl-C ends, until its output contains `wanted`; resolves with the output. It runs in a terminal: `top` needs one,
 * and without a terminal `grep` buffers its output.
 */
export async function runUntilPrinted(lines: string, wanted: RegExp, { cwd, env = {}, limitMs = 20_000 }: ShellOptions): Promise<string> {
  const child = start('exec script -qefc "$LINES_TO_RUN" /dev/null', cwd, { ...env, LINES_TO_RUN: lines, SHELL: '/bin/bash' });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  const ended = new Promise((resolve) => child.once('close', resolve));
  try {
    return await until(`${lines} prints ${wanted}`, () => Promise.resolve(wanted.test(output) && output), limitMs);
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${output}`, { cause: error });
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
