/** Runs the simulated AceStream engine as a process. README.md describes its options and settings. */
import { readFileSync } from 'node:fs';
import { ControlApi } from './control/control-api.js';
import { Engine } from './engine.js';
import { changedSettings } from './faults/simulator-settings.js';
import { InputError } from './input-error.js';
import { Listener, PortError } from './listener.js';
import { readOptions } from './options/engine-options.js';

const EXIT_FAILURE = 1;

async function run(): Promise<void> {
  const { options, settings, ignored } = readOptions(process.argv.slice(2), process.env, (path) => readFileSync(path, 'utf8'));
  const log = (line: string) => console.log(line);
  log(`simulated AceStream engine ${settings.version}, ${options.engineId}, a test picture, no peers`);
  for (const [name, value] of options.given) log(`option ${name}: ${value === true ? 'on' : value}`);
  for (const [name, value] of changedSettings(settings)) log(`setting ${name}: ${value}`);
  for (const word of ignored) log(`ignored: ${word}`);
  const engine = new Engine(options, settings, { log, exit: (code) => process.exit(code) });
  const end = () => {
    if (engine.context.faults.engineSettings.ignoreSigterm) return log('SIGTERM ignored');
    engine.end(0).catch((error: unknown) => {
      console.error(error);
      process.exit(EXIT_FAILURE);
    });
  };
  process.on('SIGTERM', end);
  process.on('SIGINT', end);
  if (options.controlPort > 0) {
    const control = new ControlApi(engine, () => process.kill(process.pid, 'SIGKILL'));
    await new Listener('control', control.server, '127.0.0.1', options.controlPort).open();
    log(`listen on 127.0.0.1:${options.controlPort} (control)`);
  }
  await engine.boot();
  log('ready');
}

run().catch((error: unknown) => {
  // The engine was ended during its boot; end() exits the process.
  if (error instanceof Error && error.name === 'AbortError') return;
  // The message says enough; a stack trace would not help.
  const isExpected = error instanceof InputError || error instanceof PortError;
  console.error(isExpected ? `engine: ${error.message}` : error);
  process.exit(EXIT_FAILURE);
});
