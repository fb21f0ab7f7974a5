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

/** `npm run doctor` in that folder, with nothing of this process's environment but those settings. */
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
  /** Settings as they are in force in the pair. */
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

  it('finds nothing wrong with a pair that is well, and asks nothing of the user', async () => {
    const { code, output } = await doctor(folder, env);
    expect(output).toMatch(/^Good:$/m);
    expect(output).toMatch(/no-engines +\d+ of \d+ engines are free/);
    expect(output).toMatch(/Nothing is wrong/);
    expect(code).toBe(0);
  });

  it('reads the .env file of the folder it is started in, and tells all its faults', async () => {
    writeFileSync(join(folder, '.env'), 'MIN_REPLICAS=many\nACEXY_ORCH_TIMEOUT=soon\n');
    const { code, output } = await doctor(folder, env, '--json');
    rmSync(join(folder, '.env'));
    expect(wrong(output).slice(0, 2)).toEqual([
      expect.stringMatching(/^settings: MIN_REPLICAS=many/),
      expect.stringMatching(/^settings: ACEXY_ORCH_TIMEOUT=soon/),
    ]);
    expect(code).toBe(1);
  });

  it('without Docker, where engines are containers, says so before what follows from it', async () => {
    const { code, output } = await doctor(
      folder,
      { ...env, ENGINE_RUNTIME: 'docker', DOCKER_HOST: 'unix:///nowhere/docker.sock' },
      '--json',
    );
    expect(wrong(output)).toEqual([expect.stringMatching(/^docker: .*no Docker Engine answers at unix:\/\/\/nowhere\/docker\.sock/)]);
    expect(code).toBe(1);
  });

  it('sees that the proxy has the wrong key, and that the port of the API is held by another program', async () => {
    const refused = await doctor(folder, { ...env, ACEXY_ORCH_APIKEY: 'the-key-of-another-house' }, '--json');
    expect(wrong(refused.output)).toEqual([expect.stringMatching(/^link: .*rejects the key of the proxy/)]);
    const taken = await doctor(folder, { ...env, APP_PORT: String(pair.proxyPort) }, '--json');
    expect(wrong(taken.output)).toEqual([
      expect.stringMatching(/^ports: port \d+ \(APP_PORT\) is in use/),
      expect.stringMatching(/^orchestrator: .*another program answers there/),
    ]);
  });

  it('with the orchestrator ended says what to start, and that the proxy misses it', async () => {
    await pair.orchestrator.stop();
    await until('the proxy knows', async () => (await (await fetch(`${pair.proxyUrl}/health/ready`)).text()).includes('away'));
    const { code, output } = await doctor(folder, env, '--json');
    expect(wrong(output)).toEqual([
      expect.stringMatching(/^orchestrator: .*does not answer at .*ECONNREFUSED/),
      expect.stringMatching(/^link: the proxy cannot reach its orchestrator/),
    ]);
    expect(code).toBe(1);
  });

  it('elsewhere it is told where to look, and a wrong option ends it with how to call it', async () => {
    const [nobody] = await freePorts(1);
    const { output } = await doctor(folder, {}, '--json', '--orchestrator', `http://localhost:${nobody}/`, '--proxy', pair.proxyUrl);
    expect(wrong(output).join()).toContain(`http://localhost:${nobody}:`);
    const misused = await doctor(folder, {}, '--proxy', 'here');
    expect(misused.code).toBe(64);
    expect(misused.output).toMatch(/--proxy must be a URL.*\nusage: doctor/);
  });
});
