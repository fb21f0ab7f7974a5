/** The tools in bench/native, compiled when they are first used, and programs that print JSON lines. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';

/** Programs and clips that the benchmarks make once. */
export const CACHE = path.join(os.tmpdir(), 'acexy-bench');
mkdirSync(CACHE, { recursive: true });

const REPLY_LIMIT_MS = 60_000;

/** Makes a file in the cache if it is missing: `make` gets the path to write to. */
export function cached(name, make) {
  const file = path.join(CACHE, name);
  if (existsSync(file)) return file;
  const part = path.join(CACHE, `part-${process.pid}-${name}`);
  make(part);
  // Another benchmark may look for the file at any moment: so it must appear complete.
  renameSync(part, file);
  return file;
}

/** What is missing on this machine for a benchmark with native tools and real streams, or null. */
export function missingTools() {
  const missing = ['gcc', 'ffmpeg'].filter((tool) => spawnSync(tool, ['--version']).error);
  return missing.length === 0 ? null : `${missing.join(' and ')} not installed`;
}

/** The compiled tool: `source`, `fan-out` or `viewers`. */
export function nativeTool(name) {
  const folder = new URL('../native/', import.meta.url);
  const [source, common] = [`${name}.c`, 'common.h'].map((file) => new URL(file, folder));
  const version = createHash('sha256').update(readFileSync(source)).update(readFileSync(common)).digest('hex').slice(0, 12);
  return cached(`${name}-${version}`, (part) =>
    execFileSync('gcc', ['-O2', '-Wall', '-Wextra', '-D_GNU_SOURCE', '-o', part, source.pathname], { stdio: 'inherit' }),
  );
}

/** A running program: `next()` is its next line of standard output, parsed. */
export class JsonProgram {
  #lines;
  #child;

  constructor(command, options) {
    this.#child = spawn(command, options.map(String), { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
    this.pid = this.#child.pid;
  }

  /** @throws if the program ends, or prints nothing in time */
  async next() {
    const late = new Promise((_resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${this.#child.spawnfile}: no reply within ${REPLY_LIMIT_MS} ms`)), REPLY_LIMIT_MS);
      timer.unref();
    });
    const { value, done } = await Promise.race([this.#lines.next(), late]);
    if (done) throw new Error(`${this.#child.spawnfile} ended`);
    return JSON.parse(value);
  }

  /** Sends a line, and waits for the answer. */
  ask(line) {
    this.#child.stdin.write(`${line}\n`);
    return this.next();
  }

  async stop() {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill('SIGKILL');
    await once(this.#child, 'exit');
  }
}
