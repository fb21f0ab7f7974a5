import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { reservePorts, freePorts, type ReservedPorts } from '../support/ports.js';
import { ROOT, ServiceProcess } from '../support/service-process.js';
import { contentId } from '../support/pair.js';
import { until } from '../support/until.js';
import { Viewer } from '../support/viewer.js';

/** The last port of each range stays unused: the reservation listens on it. */
const PORTS_OF_A_KIND = 50;

/** Processes whose command line or environment names `text`. */
function processesNaming(text: string): string[] {
  return execFileSync('ps', ['axeww', '-o', 'pid=,args='], { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 })
    .split('\n')
    .filter((line) => line.includes(text) && !line.includes('ps axeww'));
}

describe('npm start', () => {
  const folder = mkdtempSync(join(tmpdir(), 'start-'));
  let launcher: ServiceProcess;
  let apiPort: number;
  let proxyPort: number;
  let reservedPorts: ReservedPorts;

  function start(args: string[] = []): ServiceProcess {
    return new ServiceProcess('npm start', [process.execPath, join(ROOT, 'scripts/start.mjs'), ...args], {
      cwd: folder,
      // Every process of this pair has the folder in its environment. The last test finds leftover processes by it.
      env: { INIT_CWD: folder, SIM_BOOT_MS: '300' },
    });
  }

  beforeAll(async () => {
    [apiPort, proxyPort] = await freePorts(2);
    reservedPorts = await reservePorts(4 * PORTS_OF_A_KIND);
    const ranges = ['PORT_RANGE_HOST', 'ACE_HTTPS_RANGE', 'ACE_API_RANGE', 'ACE_P2P_RANGE'].map((name, index) => {
      const first = reservedPorts.first + index * PORTS_OF_A_KIND;
      return `${name}=${first}-${first + PORTS_OF_A_KIND - 2}`;
    });
    writeFileSync(
      join(folder, '.env'),
      [`APP_PORT=${apiPort}`, `ACEXY_LISTEN_ADDR=:${proxyPort}`, 'MIN_REPLICAS=1', ...ranges, ''].join('\n'),
    );
    launcher = start();
    await until('the banner', () => Promise.resolve(launcher.log.includes('Ctrl-C')), 60_000);
  });
  afterAll(async () => {
    await launcher.stop();
    rmSync(folder, { recursive: true, force: true });
    await reservedPorts.release();
  });

  it('says that the engines are simulated, and prints the playback and API URLs', () => {
    expect(launcher.log).toContain('SIMULATED engines');
    expect(launcher.log).toContain(`http://localhost:${proxyPort}/ace/getstream?id=`);
    expect(launcher.log).toContain(`http://localhost:${apiPort}`);
    expect(launcher.log).not.toContain('no orchestrator');
  });

  it('creates an API key in the data folder, readable only by its owner', async () => {
    const file = join(folder, 'data/api-key');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const key = readFileSync(file, 'utf8').trim();
    const preview = (authorization: string): Promise<Response> =>
      fetch(`http://127.0.0.1:${apiPort}/engines/lease/preview`, { headers: { Authorization: authorization } });
    expect((await preview('Bearer nonsense')).status).toBe(401);
    expect((await preview(`Bearer ${key}`)).status).not.toBe(401);
  });

  it('plays a stream', async () => {
    const viewer = await Viewer.open(`http://127.0.0.1:${proxyPort}/ace/getstream?id=${contentId(1)}`, { keep: false });
    expect(viewer.status).toBe(200);
    await viewer.untilBytes(500_000);
    await viewer.leave();
  });

  it('restarts a service that crashed', async () => {
    const [line] = processesNaming(folder).filter((text) => text.includes('apps/proxy/dist/main.js'));
    process.kill(Number(line.trim().split(/\s+/)[0]), 'SIGKILL');
    await until(
      'the proxy again',
      async () => launcher.log.includes('restarting in') && (await fetch(`http://127.0.0.1:${proxyPort}/health/ready`)).ok,
    );
  });

  it('started twice in one folder, says what is in use, and exits', async () => {
    const second = start();
    const { code } = await second.exited;
    expect(code).not.toBe(0);
    expect(second.log).toMatch(/(?:APP_PORT|ACEXY_LISTEN_ADDR|DB_URL).*in use/);
  });

  it('reports all wrong settings of both services at once, and starts neither', async () => {
    const wrong = new ServiceProcess('npm start', [process.execPath, join(ROOT, 'scripts/start.mjs')], {
      cwd: folder,
      env: { INIT_CWD: folder, MIN_REPLICAS: 'many', AUTOSCALE_INTERVAL_S: '-1', ACEXY_START_TIMEOUT: '60', LOG_LEVEL: 'loud' },
    });
    expect((await wrong.exited).code).toBe(78);
    expect(wrong.log).toContain('MIN_REPLICAS=many: must be a whole number');
    expect(wrong.log).toContain('AUTOSCALE_INTERVAL_S=-1: must be a number');
    expect(wrong.log).toContain('ACEXY_START_TIMEOUT=60: must be a duration');
    expect(wrong.log.match(/LOG_LEVEL=loud/g)).toHaveLength(1);
    expect(wrong.log).not.toContain('listening');
  });

  it('can run only the proxy, says which engine it uses, and treats an empty setting as not set', async () => {
    const own = mkdtempSync(join(tmpdir(), 'start-'));
    const [port, enginePort] = await freePorts(2);
    writeFileSync(
      join(own, '.env'),
      `ACEXY_LISTEN_ADDR=127.0.0.1:${port}\nACEXY_PORT=${enginePort}\nACEXY_ORCH_URL=\nACEXY_HOST=\nDATA_DIR=\n`,
    );
    const alone = new ServiceProcess('npm start', [process.execPath, join(ROOT, 'scripts/start.mjs'), 'proxy'], {
      cwd: own,
      env: { INIT_CWD: own },
    });
    await until('the banner', () => Promise.resolve(alone.log.includes('Ctrl-C')), 60_000);
    expect(alone.log).toContain(`http://127.0.0.1:${port}/ace/getstream?id=<content id>`);
    expect(alone.log).toContain(`the one at localhost:${enginePort}`);
    expect(alone.log).not.toContain('SIMULATED');
    expect(await alone.stop()).toEqual({ code: 0, signal: null });
    rmSync(own, { recursive: true, force: true });
  });

  it('exits cleanly when Ctrl-C is pressed twice, and leaves no process', async () => {
    launcher.kill('SIGINT');
    launcher.kill('SIGINT');
    expect(await launcher.exited).toEqual({ code: 0, signal: null });
    expect(processesNaming(folder)).toEqual([]);
  });
});
