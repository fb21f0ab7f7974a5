import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type EngineSpec, PortTakenError, RuntimeFailedError } from '../engine-runtime.js';
import { fillEngineCommand, parseEngineCommand } from './engine-command.js';
import type { EngineFolder } from './engine-folder.js';
import type { EngineProcess } from './engine-process.js';

/** Folder of this package; the same from `src` and from `dist`. */
const PACKAGE = fileURLToPath(new URL('../../../', import.meta.url));
const GUARD = join(PACKAGE, 'src/runtime/process/engine-guard.sh');
const SIMULATOR = resolve(PACKAGE, '../engine-simulator/dist/main.js');
const SIMULATOR_FLAGS =
  '--client-console --bind-all --http-port {http_port} --https-port {https_port} --api-port {api_port} --port {p2p_port} --state-dir {state_dir}';

/** An engine without an orchestrator and without players stops after 7 readings, 2 s apart: 14 to 16 s. */
const GUARD_READING_S = 2;
const GUARD_READINGS = 7;
/** An engine that runs for this long has started: a wrong command or a taken port makes it exit sooner. */
const SETTLE_MS = 250;
const SETTLE_POLL_MS = 25;
const PORT_MESSAGE = /EADDRINUSE|address (is )?already in use/i;

/** Starts the process of an engine, below a guard that ends it when the orchestrator is gone. */
export class EngineSpawner {
  constructor(
    private readonly engineCommand: string | undefined,
    private readonly heartbeatFile: string,
  ) {}

  /** @throws RuntimeFailedError when the command cannot work at all */
  check(): void {
    if (!this.engineCommand && !existsSync(SIMULATOR))
      throw new RuntimeFailedError(`the engine simulator is not built (${SIMULATOR}): run npm run build, or set ENGINE_COMMAND`);
  }

  async spawn(folder: EngineFolder, spec: EngineSpec, env: Record<string, string>): Promise<ChildProcess> {
    const words = this.engineCommand
      ? parseEngineCommand(this.engineCommand)
      : [process.execPath, SIMULATOR, ...parseEngineCommand(SIMULATOR_FLAGS)];
    const command = fillEngineCommand(words, spec, folder.stateDir);
    const logFile = await open(folder.logFile, 'a');
    try {
      const guard = [GUARD, folder.path, this.heartbeatFile, String(GUARD_READING_S), String(GUARD_READINGS), String(spec.ports.http)];
      const stdio: ('ignore' | number)[] = ['ignore', logFile.fd, logFile.fd];
      const child = spawn('/bin/sh', [...guard, ...command], { cwd: folder.stateDir, detached: true, env, stdio });
      await once(child, 'spawn');
      child.unref();
      return child;
    } finally {
      await logFile.close();
    }
  }

  /** Waits until the engine runs and has not exited at once. */
  async settle(engine: EngineProcess, signal: AbortSignal): Promise<void> {
    for (let settled = 0; settled < SETTLE_MS;) {
      signal.throwIfAborted();
      await engine.observe();
      if (engine.state === 'exited') throw await exitedAtOnce(engine);
      if (await engine.folder.processOf('engine')) settled += SETTLE_POLL_MS;
      await sleep(SETTLE_POLL_MS);
    }
    signal.throwIfAborted();
  }
}

async function exitedAtOnce(engine: EngineProcess): Promise<Error> {
  const log = await engine.folder.logTail();
  if (PORT_MESSAGE.test(log)) {
    const ports = Object.values({ ...engine.record.spec.ports });
    return new PortTakenError(ports.find((port) => new RegExp(`\\b${port}\\b`).test(log)) ?? engine.record.spec.ports.http);
  }
  return new RuntimeFailedError(
    `the engine exited at once with exit code ${engine.exitCode ?? 'unknown'}: ${lastLine(log) || 'it logged nothing'}`,
  );
}

export function lastLine(text: string): string {
  return text.split('\n').at(-1) ?? '';
}
