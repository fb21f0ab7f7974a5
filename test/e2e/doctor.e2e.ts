import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Diagnosis } from '../../apps/orchestrator/src/doctor/diagnosis.plan.js';
import { freePorts } from '../support/ports.js';
import { Pair } from '../support/pair.js';
import { ROOT } from '../support/service-process.js';
import { until } from '../support/until.js';

/** Runs `npm run doctor` in that folder with only these settings in its environment. */
function doctor(folder: string, env: Record<string, string>, ...args: string[]): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [join(ROOT, 'scripts/doctor.mjs'), ...args],
      { cwd: folder, env: { PATH: process.env.PATH, HOME: process.env.HOME, INIT_CWD: folder, ...env }, timeout: 60_000 },
      (error, stdout, stderr) => resolve({ code: error === null ? 0 : Number(error.code), output: stdout + stderr }),
    );
  });
}

const wrong = (output: string): string[] =>
  (JSON.parse(output) as Diagnosis[]).filter(({ state }) => state === 'wrong').map(({ id, says }) => `${id}: ${says}`);

describe('npm run doctor', () => {
  let pair: Pair;
  let folder: string;
  /** The settings of the pair. */
  let env: Record<string, string>;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'doctor-'));
    pair = await Pair.start({ engines: { SIM_BOOT_MS: '100' } });
    env = { APP_PORT: String(pair.apiPort), API_KEY: pair.apiKey, ACEXY_LISTEN_ADDR: `:${pair.proxyPort}` };
    await until('the free engines', async () => (await pair.engines()).length >= 3);
  });
  afterAll(async () => {
    await pair?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it('finds no problem in a healthy pair and asks the user nothing', async () => {
    const { code, output } = await doctor(folder, env);
    expect(output).toMatch(/^Good:$/m);
    expect(output).toMatch(/no-engines +\d+ of \d+ engines are free/);
    expect(output).toMatch(/Nothing is wrong/);
    expect(code).toBe(0);
  });

  it('reads the .env file of its working directory and reports all its errors', async () => {
    writeFileSync(join(folder, '.env'), 'MIN_REPLICAS=many\nACEXY_ORCH_TIMEOUT=soon\n');
    const { code, output } = await doctor(folder, env, '--json');
    rmSync(join(folder, '.env'));
    expect(wrong(output).slice(0, 2)).toEqual([
      expect.stringMatching(/^settings: MIN_REPLICAS=many/),
      expect.stringMatching(/^settings: ACEXY_ORCH_TIMEOUT=soon/),
    ]);
    expect(code).toBe(1);
  });

  it('reports a missing Docker before the problems that follow from it', async () => {
    const { code, output } = await doctor(
      folder,
      { ...env, ENGINE_RUNTIME: 'docker', DOCKER_HOST: 'unix:///nowhere/docker.sock' },
      '--json',
    );
    expect(wrong(output)).toEqual([expect.stringMatching(/^docker: .*no Docker Engine answers at unix:\/\/\/nowhere\/docker\.sock/)]);
    expect(code).toBe(1);
  });

  it('detects a wrong key of the proxy, and an API port that another program uses', async () => {
    const refused = await doctor(folder, { ...env, ACEXY_ORCH_APIKEY: 'the-key-of-another-installation' }, '--json');
    expect(wrong(refused.output)).toEqual([expect.stringMatching(/^link: .*rejects the key of the proxy/)]);
    const taken = await doctor(folder, { ...env, APP_PORT: String(pair.proxyPort) }, '--json');
    expect(wrong(taken.output)).toEqual([
      expect.stringMatching(/^ports: port \d+ \(APP_PORT\) is in use/),
      expect.stringMatching(/^orchestrator: .*another program answers there/),
    ]);
  });

  it('says what to start when the orchestrator is stopped, and that the proxy cannot reach it', async () => {
    await pair.orchestrator.stop();
    await until('the proxy knows', async () => (await (await fetch(`${pair.proxyUrl}/health/ready`)).text()).includes('away'));
    const { code, output } = await doctor(folder, env, '--json');
    expect(wrong(output)).toEqual([
      expect.stringMatching(/^orchestrator: .*does not answer at .*ECONNREFUSED/),
      expect.stringMatching(/^link: the proxy cannot reach its orchestrator/),
    ]);
    expect(code).toBe(1);
  });

  it('accepts the addresses of services on another host, and prints its usage for a wrong option', async () => {
    const [nobody] = await freePorts(1);
    const { output } = await doctor(folder, {}, '--json', '--orchestrator', `http://localhost:${nobody}/`, '--proxy', pair.proxyUrl);
    expect(wrong(output).join()).toContain(`http://localhost:${nobody}:`);
    const misused = await doctor(folder, {}, '--proxy', 'here');
    expect(misused.code).toBe(64);
    expect(misused.output).toMatch(/--proxy must be a URL.*\nusage: doctor/);
  });
});
