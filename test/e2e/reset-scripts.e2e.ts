import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ROOT } from '../support/service-process.js';
import { type ShellResult, runShell } from '../support/shell.js';
import { FakeCommands } from '../support/fake-commands.js';

/** Runs the scripts for operators with a fake docker that records its calls. The same steps run for real in seed-guide.e2e.ts and .ci/stack.sh. */

let commands: FakeCommands;
let folder: string;
beforeEach(() => {
  commands = new FakeCommands();
  folder = mkdtempSync(join(tmpdir(), 'resets-'));
  writeFileSync(join(folder, 'docker-compose.yml'), '');
});
afterEach(() => {
  commands.remove();
  rmSync(folder, { recursive: true, force: true });
});

const run = (line: string, env: Record<string, string> = {}): Promise<ShellResult> =>
  runShell(`${ROOT}/scripts/${line}`, { cwd: folder, env: { PATH: commands.folder, HEALTH_LIMIT_S: '1', ...env } });

interface World {
  services: string[];
  /** Number of containers of each service; 1 by default. */
  replicas?: number;
  /** Installation id of each engine. */
  engines?: string[];
  /** The id in the database of this project; null: there is no database. */
  installation?: string | null;
  health?: string;
}

/** A compose project with engines, on Compose 2 or Compose 1. */
function given(
  compose: 'docker compose' | 'docker-compose',
  { services, replicas = 1, engines = [], installation = 'mine', health = 'healthy' }: World,
): void {
  for (const service of services) {
    const containers = Array.from({ length: replicas }, (_, index) => `${service}-replica-${index}\n`);
    writeFileSync(join(folder, `containers-${service}`), containers.join(''));
  }
  const printed = (words: readonly string[]): string => `printf '%s\\n' ${words.join(' ') || "''"}`;
  const engineIds = (owner?: string): string =>
    printed(engines.flatMap((each, index) => (owner === undefined || owner === each ? [`engine-${index}`] : [])));
  const ofCompose = (prefix: string): string => `
    "${prefix}config --services") printf '%s\\n' ${services.join(' ')} ;;
    "${prefix}ps -q "*) cat "${folder}/containers-\${*##* }" ;;
    *" --no-recreate "*) echo "new-$(wc -l <${folder}/containers-acexy)" >>${folder}/containers-acexy ;;
    "ps -a "*format*) ${printed(engines)} ;;
    "${prefix}run --rm "*sqlite3*) ${installation === null ? 'echo unable to open database >&2; exit 1' : `echo ${installation}`} ;;
    ${[...new Set(engines)].map((owner) => `"ps -aq "*installation=${owner}) ${engineIds(owner)} ;;`).join('\n')}
    "ps -aq "*installation=*) ;;
    "${prefix}exec -T docker docker ps -aq "*|"ps -aq "*) ${engineIds()} ;;`;
  const inspect = `inspect*) echo ${health} ;;`;
  if (compose === 'docker compose') commands.add('docker', ofCompose('compose ') + inspect);
  else commands.add('docker', `"compose "*) exit 1 ;;${ofCompose('')}${inspect}`).add('docker-compose', ofCompose(''));
}

describe.each(['docker compose', 'docker-compose'] as const)('with %s', (compose) => {
  it('a reset that keeps the database stops the orchestrator, removes the engines of this installation only, and starts it', async () => {
    given(compose, { services: ['orchestrator', 'acexy'], engines: ['mine', 'theirs', 'mine'] });
    const { code, stdout } = await run('reset.sh --keep-database');
    expect([code, stdout]).toEqual([0, expect.stringMatching(/removed 2 containers of engines[^]*orchestrator is healthy/)]);
    expect(commands.calls).toEqual([
      `${compose} stop orchestrator`,
      'docker ps -aq --filter label=acestream-orchestrator.installation',
      expect.stringContaining(`${compose} run --rm --no-deps -T --entrypoint sqlite3 orchestrator`),
      'docker ps -aq --filter label=acestream-orchestrator.installation=mine',
      'docker rm -f engine-0 engine-2',
      `${compose} up -d --no-deps orchestrator`,
    ]);
  });

  it('engines inside the docker service are removed there', async () => {
    given(compose, { services: ['orchestrator', 'acexy', 'docker'], engines: ['a'] });
    expect((await run('reset.sh --keep-database')).code).toBe(0);
    expect(commands.calls).toContain(`${compose} exec -T docker docker rm -f engine-0`);
    expect(commands.calls.filter((call) => call.startsWith('docker rm'))).toEqual([]);
  });

  it('a complete reset removes engines, services and volumes of only this project, and starts it', async () => {
    given(compose, { services: ['orchestrator', 'acexy'], engines: ['mine', 'theirs'] });
    const { code, stdout } = await run('reset.sh --everything --yes --images');
    expect([code, stdout]).toEqual([0, expect.stringMatching(/orchestrator is healthy\nacexy is healthy/)]);
    expect(commands.calls.filter((call) => !/ ps | run /.test(call))).toEqual([
      `${compose} stop orchestrator`,
      'docker rm -f engine-0',
      `${compose} down --volumes --remove-orphans`,
      'docker image prune -f',
      `${compose} up -d`,
    ]);
  });

  it('down.sh removes the engines of this installation only, then services and networks, and passes options on', async () => {
    given(compose, { services: ['orchestrator', 'acexy'], engines: ['theirs', 'mine'] });
    expect((await run('down.sh --remove-orphans')).code).toBe(0);
    expect(commands.calls.filter((call) => !/ ps | run /.test(call))).toEqual([
      `${compose} stop orchestrator`,
      'docker rm -f engine-1',
      `${compose} down --remove-orphans`,
    ]);
  });

  it('down.sh leaves engines inside the docker service to that service', async () => {
    given(compose, { services: ['orchestrator', 'acexy', 'docker'], engines: ['mine'] });
    expect((await run('down.sh')).code).toBe(0);
    expect(commands.calls).toEqual([`${compose} stop orchestrator`, `${compose} down`]);
  });

  it('proxies are restarted one by one, and the orchestrator last', async () => {
    given(compose, { services: ['orchestrator', 'acexy-1', 'acexy-2', 'balancer'] });
    const { code, stdout } = await run('rolling-restart.sh');
    expect([code, stdout]).toEqual([0, expect.not.stringContaining('nobody can play')]);
    expect(commands.calls).toEqual(
      ['acexy-1', 'acexy-2', 'orchestrator'].flatMap((service) => [`${compose} stop ${service}`, `${compose} up -d --no-deps ${service}`]),
    );
  });

  it('replicas of one service are replaced one by one, and their number stays', async () => {
    given(compose, { services: ['orchestrator', 'acexy', 'balancer'], replicas: 3 });
    const { code, stdout } = await run('rolling-restart.sh');
    expect([code, stdout]).toEqual([0, expect.not.stringContaining('nobody can play')]);
    expect(commands.calls).toEqual([
      ...[0, 1, 2].flatMap((index) => [
        `docker stop acexy-replica-${index}`,
        `docker rm acexy-replica-${index}`,
        `${compose} up -d --no-deps --no-recreate --scale acexy=3 acexy`,
      ]),
      `${compose} stop orchestrator`,
      `${compose} up -d --no-deps orchestrator`,
    ]);
  });
});

describe('unclear situations', () => {
  it.each([
    ['reset.sh --keep-database', []],
    ['reset.sh --everything --yes', []],
    ['down.sh', []],
    ['down.sh', ['theirs']],
  ])('%s works when there is nothing to remove beside the engines %j', async (line, engines) => {
    given('docker compose', { services: ['orchestrator', 'acexy'], engines });
    const { code, stdout } = await run(line);
    expect([code, stdout]).toEqual([0, expect.stringContaining('no engine to remove')]);
    expect(commands.calls.filter((call) => call.includes('rm -f'))).toEqual([]);
  });

  it('a complete reset without confirmation does nothing', async () => {
    given('docker compose', { services: ['orchestrator'] });
    const { code, stderr } = await run('reset.sh --everything');
    expect([code, stderr, commands.calls]).toEqual([1, expect.stringContaining('--yes'), []]);
  });

  it.each(['reset.sh --keep-database', 'down.sh'])('without a database, %s needs INSTALLATION', async (line) => {
    given('docker compose', { services: ['orchestrator'], engines: ['mine', 'theirs'], installation: null });
    const { code, stderr } = await run(line);
    expect([code, stderr]).toEqual([1, expect.stringMatching(/unable to open database[^]*INSTALLATION=[^]*mine\ntheirs/)]);
    expect(commands.calls.filter((call) => /rm -f|down/.test(call))).toEqual([]);
    expect((await run(line, { INSTALLATION: 'theirs' })).code).toBe(0);
    expect(commands.calls).toContain('docker rm -f engine-1');
  });

  it('a proxy that does not become ready stops the restart of the others, and the message says where to look', async () => {
    given('docker compose', { services: ['orchestrator', 'acexy-1', 'acexy-2'], health: 'unhealthy' });
    const { code, stderr, stdout } = await run('rolling-restart.sh');
    expect([code, stderr]).toEqual([1, expect.stringContaining('docker compose logs --tail=50 acexy-1')]);
    expect(stdout).toContain('nobody can play until acexy-1 is back');
    expect(commands.calls).toEqual(['docker compose stop acexy-1', 'docker compose up -d --no-deps acexy-1']);
  });

  it('a replica that does not become ready stops the restart before the next one', async () => {
    given('docker compose', { services: ['orchestrator', 'acexy'], replicas: 2, health: 'unhealthy' });
    const { code, stderr } = await run('rolling-restart.sh');
    expect([code, stderr]).toEqual([1, expect.stringContaining('docker compose logs --tail=50 acexy')]);
    expect(commands.calls.filter((call) => call.startsWith('docker stop'))).toEqual(['docker stop acexy-replica-0']);
  });

  it.each([
    ['reset.sh', 64, 'scripts/reset.sh --keep-database'],
    ['reset.sh --keep-data', 64, 'scripts/reset.sh --keep-database'],
    ['down.sh --help', 64, 'scripts/down.sh [OPTION…]'],
    ['rolling-restart.sh --help', 64, 'scripts/rolling-restart.sh [PROXY…]'],
    ['rolling-restart.sh acexy-9', 1, 'no service acexy-9; it has orchestrator'],
  ])('%s: the message says what would be right', async (line, expected, words) => {
    given('docker compose', { services: ['orchestrator', 'acexy'] });
    const { code, stderr } = await run(line);
    expect([code, stderr]).toEqual([expected, expect.stringContaining(words)]);
    expect(commands.calls).toEqual([]);
  });

  it('a missing docker compose or compose file is reported at once', async () => {
    commands.add('docker', '"compose "*) exit 1 ;;');
    expect((await run('reset.sh --keep-database')).stderr).toContain('neither docker compose nor docker-compose works');
    rmSync(join(folder, 'docker-compose.yml'));
    expect((await run('reset.sh --keep-database')).stderr).toContain('no docker-compose.yml in');
  });
});
