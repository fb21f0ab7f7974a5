/** `npm run doctor`: checks this installation and says what is wrong and what to do. Put options after two dashes: `npm run doctor -- --json`. */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { ROOT, prepare } from './prepare.mjs';

prepare();
const { EXIT_CONFIG, SettingsError, readEnvironment } = await import(join(ROOT, 'libs/service-kit/dist/settings/index.js'));
const { PROXY_SETTINGS } = await import(join(ROOT, 'apps/proxy/dist/app/settings.js'));
const { runDoctor } = await import(join(ROOT, 'apps/orchestrator/dist/doctor/main.js'));
const folder = process.env.INIT_CWD ?? process.cwd();
process.exitCode = await runDoctor(process.argv.slice(2), {
  env: asStarted(environment()),
  folder,
  configFolder: folder,
  place: 'host',
  proxySettings: PROXY_SETTINGS,
});

function environment() {
  try {
    return readEnvironment(folder);
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    console.error(error.message);
    return process.exit(EXIT_CONFIG);
  }
}

/** The settings that `npm start` adds: the generated key, and the address of the orchestrator for the proxy. */
function asStarted(env) {
  const keyFile = resolve(folder, env.DATA_DIR ?? 'data', 'api-key');
  const result = { ...env };
  if (!env.API_KEY && !env.API_KEY_FILE && env.AUTH !== 'open' && existsSync(keyFile)) result.API_KEY_FILE = keyFile;
  result.ACEXY_ORCH_URL ??= `http://127.0.0.1:${env.APP_PORT ?? 8000}`;
  if (!env.ACEXY_ORCH_APIKEY && !env.ACEXY_ORCH_APIKEY_FILE) {
    if (result.API_KEY) result.ACEXY_ORCH_APIKEY = result.API_KEY;
    else if (result.API_KEY_FILE) result.ACEXY_ORCH_APIKEY_FILE = result.API_KEY_FILE;
  }
  return result;
}
