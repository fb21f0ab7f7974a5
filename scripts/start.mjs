/**
 * `npm start`: installs and builds what is missing, then runs orchestrator and proxy with simulated engines.
 * `npm start orchestrator` (or proxy) runs one service. `npm start -- --env-file deploy/profiles/light.env` reads the settings of a file.
 * `npm run dev` is `npm start -- --watch`: it compiles after each change of a source and restarts the services that use it.
 */
import { randomBytes } from 'node:crypto';
import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { ROOT, prepare } from './prepare.mjs';
import { Supervisor } from './supervisor.mjs';

const NAMES = ['orchestrator', 'proxy'];
const LISTEN_LIMIT_MS = 5_000;
const READY_LIMIT_MS = 60_000;
const STOP_LIMIT_MS = 25_000;
/** Any 40 hexadecimal digits play on a simulated engine. */
const SAMPLE_ID = 'dd1e67078381739d14beca697356ab76d49d1a2d';

/** Debugger ports with --watch, as in .vscode/launch.json. */
const INSPECT_PORTS = { orchestrator: 9229, proxy: 9230 };

const { values: options, positionals: wanted } = parseArguments();
if (options['env-file'] !== undefined) process.env.ENV_FILE = options['env-file'];
const unknown = wanted.filter((name) => !NAMES.includes(name));
if (unknown.length > 0) {
  console.error(`unknown service ${unknown.join(', ')}: choose ${NAMES.join(' or ')}, or start both with no name`);
  process.exit(64);
}

prepare();
const { EXIT_CONFIG, SettingsError, loadAllSettings, readEnvironment } = await import(
  join(ROOT, 'libs/service-kit/dist/settings/index.js')
);
const pair = wanted.length === 0;
const names = pair ? ['orchestrator', 'proxy'] : wanted;
const folder = process.env.INIT_CWD ?? process.cwd();
const env = withDefaults(environmentOf(folder));
const settings = await readSettings();
const supervisors = names.map((name) => new Supervisor(service(name)));
const compiler = options.watch ? watchSources() : null;

let stopping = null;
process.on('SIGINT', () => void stop(0));
process.on('SIGTERM', () => void stop(0));
process.on('SIGHUP', () => void stop(0));

for (const supervisor of supervisors) {
  if (stopping) break;
  supervisor.start();
  // The proxy can start without the orchestrator, but in this order its first call succeeds.
  await supervisor.untilListening(LISTEN_LIMIT_MS);
}
const ready = await Promise.all(supervisors.map((supervisor) => supervisor.untilReady(READY_LIMIT_MS)));
if (!stopping) announce(ready.every(Boolean));

function parseArguments() {
  try {
    return parseArgs({ options: { 'env-file': { type: 'string' }, watch: { type: 'boolean', default: false } }, allowPositionals: true });
  } catch (error) {
    console.error(`${error.message}. Usage: npm start [orchestrator|proxy] [-- --env-file FILE] [--watch]`);
    return process.exit(64);
  }
}

function environmentOf(folder) {
  try {
    return readEnvironment(folder);
  } catch (error) {
    console.error(error.message);
    return process.exit(EXIT_CONFIG);
  }
}

/** The settings that `npm start` adds: a generated key, kept for the next start, and the address of the orchestrator for the proxy. */
function withDefaults(given) {
  const result = { ...given, LOG_FORMAT: given.LOG_FORMAT ?? 'text' };
  const dataFolder = resolve(folder, given.DATA_DIR ?? 'data');
  const keyFile = join(dataFolder, 'api-key');
  const keyGiven = Boolean(given.API_KEY ?? given.API_KEY_FILE) || given.AUTH === 'open';
  if (names.includes('orchestrator') && !keyGiven) {
    mkdirSync(dataFolder, { recursive: true, mode: 0o700 });
    if (!existsSync(keyFile)) writeFileSync(keyFile, `${randomBytes(24).toString('hex')}\n`, { mode: 0o600 });
    chmodSync(keyFile, 0o600);
    result.API_KEY_FILE = keyFile;
  }
  if (pair) {
    result.ACEXY_ORCH_URL ??= `http://127.0.0.1:${given.APP_PORT ?? 8000}`;
    // Ctrl-C stops everything that was started here, engines too. A service that runs alone leaves the engines for its next start.
    result.STOP_ENGINES_ON_EXIT ??= 'true';
    // There is no other proxy to which viewers could reconnect.
    result.ACEXY_DRAIN_TIMEOUT ??= '0';
  }
  if (names.includes('proxy') && !(given.ACEXY_ORCH_APIKEY ?? given.ACEXY_ORCH_APIKEY_FILE)) {
    if (given.API_KEY) result.ACEXY_ORCH_APIKEY = given.API_KEY;
    else if (given.API_KEY_FILE ?? existsSync(keyFile)) result.ACEXY_ORCH_APIKEY_FILE = given.API_KEY_FILE ?? keyFile;
  }
  return result;
}

/** The settings by the name of the service. Errors of both services are reported before any service starts. */
async function readSettings() {
  const definitions = {
    orchestrator: async () => (await import(join(ROOT, 'apps/orchestrator/dist/settings.js'))).ORCHESTRATOR_SETTINGS,
    proxy: async () => (await import(join(ROOT, 'apps/proxy/dist/app/settings.js'))).PROXY_SETTINGS,
  };
  const result = {};
  const faults = new Map();
  for (const name of names) {
    try {
      result[name] = loadAllSettings(await definitions[name](), env).values;
    } catch (error) {
      if (!(error instanceof SettingsError)) throw error;
      // Both services read some settings: report each error once.
      for (const fault of error.faults) faults.set(`${fault.name} ${fault.problem}`, fault);
    }
  }
  if (faults.size > 0) {
    console.error(new SettingsError([...faults.values()]).message);
    process.exit(EXIT_CONFIG);
  }
  return result;
}

function service(name) {
  const url = urlOf(name);
  return {
    name,
    entry: join(ROOT, 'apps', name, 'dist/main.js'),
    nodeOptions: options.watch ? ['--watch', '--watch-preserve-output', `--inspect=127.0.0.1:${INSPECT_PORTS[name]}`] : [],
    cwd: folder,
    env,
    ready: async () => {
      try {
        return (await fetch(`${url}/health/ready`, { signal: AbortSignal.timeout(1000) })).ok;
      } catch {
        return false; // not listening yet
      }
    },
    onGiveUp: (why, exitCode) => {
      console.error(`> ${why}`);
      void stop(exitCode);
    },
  };
}

/** Compiles after each change of a source. The services watch the compiled files. */
function watchSources() {
  const args = [join(ROOT, 'node_modules/typescript/bin/tsc'), '-b', '--watch', '--preserveWatchOutput'];
  return spawn(process.execPath, args, { cwd: ROOT, detached: true, stdio: ['ignore', 'inherit', 'inherit'] });
}

/** URL of the service on this machine. */
function urlOf(name) {
  const { host, port } = name === 'proxy' ? settings.proxy.listen : settings.orchestrator;
  if (!host || /^[0:.]+$/.test(host)) return `http://localhost:${port}`;
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

function announce(allReady) {
  const { orchestrator, proxy } = settings;
  const simulated = orchestrator?.engineRuntime === 'process' && !orchestrator.engineCommand;
  const lines = [''];
  if (!allReady) lines.push(`Not ready within ${READY_LIMIT_MS / 1000} s; still trying. The lines above say why.`);
  if (simulated) lines.push('These are SIMULATED engines, which show a test picture: nothing comes from the AceStream network.');
  if (proxy) {
    const id = simulated ? SAMPLE_ID : '<content id>';
    lines.push(`  Play     ${urlOf('proxy')}/ace/getstream?id=${id}   (VLC, mpv, ffplay${simulated ? '; any 40 hexadecimal digits' : ''})`);
    if (!proxy.orchestratorUrl)
      lines.push(
        `  Engine   the one at ${proxy.fallbackHost}:${proxy.fallbackPort} (ACEXY_HOST, ACEXY_PORT): no orchestrator is set (ACEXY_ORCH_URL)`,
      );
    else if (!orchestrator) lines.push(`  Engines  from ${proxy.orchestratorUrl} (ACEXY_ORCH_URL)`);
  }
  if (orchestrator) {
    lines.push(`  API      ${urlOf('orchestrator')}   (documentation: ${urlOf('orchestrator')}/docs)`);
    if (env.API_KEY_FILE) lines.push(`  Key      ${env.API_KEY_FILE}   (Authorization: Bearer …)`);
  }
  lines.push('  Stop     Ctrl-C', '');
  console.log(lines.join('\n'));
}

/** Stops all services, the proxy first so that it can end its sessions. A second call only waits for the first. */
function stop(exitCode) {
  if (stopping) {
    console.error('> still stopping …');
    return stopping;
  }
  stopping = (async () => {
    console.error('> stopping …');
    compiler?.kill();
    for (const supervisor of [...supervisors].reverse()) await supervisor.stop(STOP_LIMIT_MS);
    process.exit(exitCode);
  })();
  return stopping;
}
