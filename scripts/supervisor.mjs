/** Keeps one service running: restarts it after each exit with a growing delay, and stops it within a limit. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { ROOT } from './prepare.mjs';

/** EX_CONFIG of sysexits.h: the settings of the service are wrong, so a restart does not help. */
const EXIT_CONFIG = 78;
const FIRST_DELAY_MS = 500;
const MAX_DELAY_MS = 10_000;
/** After running this long, a service restarts with the shortest delay again. */
const STEADY_MS = 30_000;
/** After so many exits in a row, a service that was never ready is not restarted. */
const GIVE_UP_AFTER = 3;

/**
 * Options of Node for both services, as in the Dockerfile. The space for young objects grows to three times 16 MB while the modules load, and never
 * shrinks in an idle service; with 4 MB, streams cost the same.
 */
export const NODE_FLAGS = ['--max-semi-space-size=4'];
/** Fewer heaps of the C library, as in the Dockerfile; and compiled modules, kept for the next start (Node 22 and newer). */
const NODE_ENVIRONMENT = { MALLOC_ARENA_MAX: '2', NODE_COMPILE_CACHE: join(ROOT, 'node_modules/.cache/node-compile-cache') };

export class Supervisor {
  #child = null;
  #timer = null;
  #exits = 0;
  #listening = false;
  #onListening = () => undefined;
  #wasReady = false;
  #stopping = false;
  #ended;

  /**
   * @param {{name: string, entry: string, nodeOptions?: string[], cwd: string, env: Record<string, string>, ready: () => Promise<boolean>, onGiveUp: (why: string, exitCode: number) => void}} service
   */
  constructor(service) {
    this.service = service;
  }

  start() {
    const { name, entry, nodeOptions = [], cwd, env, onGiveUp } = this.service;
    const startedAt = performance.now();
    // Its own process group: Ctrl-C in a terminal reaches only this process, so each service gets one signal. If this process dies, the service
    // sees its IPC channel close.
    const child = spawn(process.execPath, [...nodeOptions, ...NODE_FLAGS, entry], {
      cwd,
      env: { ...NODE_ENVIRONMENT, ...env },
      detached: true,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#child = child;
    this.#listening = false;
    child.on('message', (message) => {
      if (message !== 'listening') return;
      this.#listening = true;
      this.#onListening();
    });
    this.#ended = new Promise((resolve) => {
      child.once('close', (code, signal) => {
        this.#child = null;
        resolve();
        if (this.#stopping) return;
        const how = signal ?? `exit code ${code}`;
        if (performance.now() - startedAt > STEADY_MS) this.#exits = 0;
        this.#exits += 1;
        if (code === EXIT_CONFIG) return onGiveUp(`${name} cannot start with these settings`, EXIT_CONFIG);
        if (!this.#wasReady && this.#exits >= GIVE_UP_AFTER)
          return onGiveUp(`${name} exited ${GIVE_UP_AFTER} times before it was ready (${how})`, 1);
        const delay = Math.min(FIRST_DELAY_MS * 2 ** (this.#exits - 1), MAX_DELAY_MS);
        console.error(`> ${name} exited (${how}); restarting in ${delay / 1000} s`);
        this.#timer = setTimeout(() => this.start(), delay);
      });
    });
    child.once('error', (error) => console.error(`> ${name} could not start: ${error.message}`));
  }

  /** Resolves when the service listens, or after `limitMs`. */
  async untilListening(limitMs) {
    if (this.#listening) return;
    await new Promise((resolve) => {
      const limit = setTimeout(resolve, limitMs);
      this.#onListening = () => {
        clearTimeout(limit);
        resolve();
      };
    });
  }

  /** True when the service listens and reports that it is ready; false after `limitMs`. */
  async untilReady(limitMs) {
    const end = performance.now() + limitMs;
    while (!this.#stopping && performance.now() < end) {
      if (this.#listening && (await this.service.ready())) return (this.#wasReady = true);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    return false;
  }

  /** Stops the service, and kills it after `limitMs`. */
  async stop(limitMs) {
    this.#stopping = true;
    clearTimeout(this.#timer);
    const child = this.#child;
    if (!child) return;
    child.kill('SIGTERM');
    const limit = setTimeout(() => {
      console.error(`> ${this.service.name} did not exit within ${limitMs / 1000} s and was killed`);
      child.kill('SIGKILL');
    }, limitMs);
    await this.#ended;
    clearTimeout(limit);
  }
}
