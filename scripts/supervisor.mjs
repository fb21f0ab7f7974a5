/** Keeps one service running: restarts it when it dies, backs off when it keeps dying, ends it within a limit. */
import { spawn } from 'node:child_process';

/** EX_CONFIG of sysexits.h: the service says that its settings are wrong, so another try is no use. */
const EXIT_CONFIG = 78;
const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 10_000;
/** A service that ran this long starts with the shortest delay again. */
const STEADY_MS = 30_000;
/** Deaths in a row before the service has ever been ready: it never will be. */
const GIVE_UP_AFTER = 3;

export class Supervisor {
  #child = null;
  #timer = null;
  #deaths = 0;
  #listening = false;
  #onListening = () => undefined;
  #wasReady = false;
  #stopping = false;
  #ended;

  /**
   * @param {{name: string, entry: string, cwd: string, env: Record<string, string>, ready: () => Promise<boolean>, onGiveUp: (why: string, exitCode: number) => void}} service
   */
  constructor(service) {
    this.service = service;
  }

  start() {
    const { name, entry, cwd, env, onGiveUp } = this.service;
    const startedAt = performance.now();
    // Its own process group: a terminal's Ctrl-C reaches only us, so that each service is told once. The channel lets it notice if we die.
    const child = spawn(process.execPath, ['--enable-source-maps', entry], {
      cwd,
      env,
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
        if (performance.now() - startedAt > STEADY_MS) this.#deaths = 0;
        this.#deaths += 1;
        if (code === EXIT_CONFIG) return onGiveUp(`${name} cannot start with these settings`, EXIT_CONFIG);
        if (!this.#wasReady && this.#deaths >= GIVE_UP_AFTER)
          return onGiveUp(`${name} ended ${GIVE_UP_AFTER} times before it was ready (${how})`, 1);
        const delay = Math.min(FIRST_DELAY_MS * 2 ** (this.#deaths - 1), LONGEST_DELAY_MS);
        console.error(`> ${name} ended (${how}); starting it again in ${delay / 1000} s`);
        this.#timer = setTimeout(() => this.start(), delay);
      });
    });
    child.once('error', (error) => console.error(`> ${name} could not be started: ${error.message}`));
  }

  /** Resolves once the service listens, or after `limitMs`. */
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

  /** Resolves once the service listens and answers that it is ready; false after `limitMs`. */
  async untilReady(limitMs) {
    const end = performance.now() + limitMs;
    while (!this.#stopping && performance.now() < end) {
      if (this.#listening && (await this.service.ready())) return (this.#wasReady = true);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    return false;
  }

  /** Tells the service to end, and kills it where it has not within `limitMs`. */
  async stop(limitMs) {
    this.#stopping = true;
    clearTimeout(this.#timer);
    const child = this.#child;
    if (!child) return;
    child.kill('SIGTERM');
    const limit = setTimeout(() => {
      console.error(`> ${this.service.name} did not end within ${limitMs / 1000} s and was killed`);
      child.kill('SIGKILL');
    }, limitMs);
    await this.#ended;
    clearTimeout(limit);
  }
}
