/** The simulated AceStream engine as a process. See README.md for its options and knobs. */
import { readFileSync } from 'node:fs';
import { CatalogError } from './contents/content-directory.js';
import { ControlApi } from './control/control-api.js';
import { Engine } from './engine.js';
import { KnobError, changedKnobs } from './faults/knobs.js';
import { Listener, PortError } from './listener.js';
import { OptionError } from './options/command-line.js';
import { readOptions } from './options/engine-options.js';

const EXIT_UNUSABLE = 1;

function isRefusal(error: unknown): error is Error {
  return error instanceof OptionError || error instanceof KnobError || error instanceof CatalogError || error instanceof PortError;
}

async function run(): Promise<void> {
  const { options, knobs, ignored } = readOptions(process.argv.slice(2), process.env, (path) => readFileSync(path, 'utf8'));
  const log = (line: string) => console.log(line);
  log(`simulated AceStream engine ${knobs.version}, ${options.engineId}, a test picture, no peers`);
  for (const [name, value] of options.given) log(`option ${name}: ${value === true ? 'on' : /pass|token/.test(name) ? '***' : value}`);
  for (const [name, value] of changedKnobs(knobs)) log(`knob ${name}: ${value}`);
  for (const word of ignored) log(`ignored: ${word}`);
  const engine = new Engine(options, knobs, { log, exit: (code) => process.exit(code) });
  const end = () => {
    if (engine.parts.faults.engine.ignoreSigterm) return log('SIGTERM ignored');
    engine.end(0).catch((error: unknown) => {
      console.error(error);
      process.exit(EXIT_UNUSABLE);
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
  // The boot was cut short by the end of the engine, which does the rest.
  if (error instanceof Error && error.name === 'AbortError') return;
  console.error(isRefusal(error) ? `engine: ${error.message}` : error);
  process.exit(EXIT_UNUSABLE);
});
