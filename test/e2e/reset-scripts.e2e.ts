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
  /** Installation id of each engine. */
  engines?: string[];
  health?: string;
}

/** A compose project with engines, on Compose 2 or Compose 1. */
function given(compose: 'docker compose' | 'docker-compose', { services, engines = [], health = 'healthy' }: World): void {
  const ofCompose = (prefix: string): string => `
    "${prefix}config --services") printf '%s\\n' ${services.join(' ')} ;;
    "${prefix}ps -q "*) echo container ;;
    "${prefix}exec -T docker docker ps -a "*format*|"ps -a "*format*) printf '%s\\n' ${engines.join(' ') || "''"} ;;
    "${prefix}exec -T docker docker ps -aq "*|"ps -aq "*) printf '%s\\n' ${engines.map((_, index) => `engine-${index}`).join(' ') || "''"} ;;`;
  const inspect = `inspect*) echo ${health} ;;`;
  if (compose === 'docker compose') commands.add('docker', ofCompose('compose ') + inspect);
  else commands.add('docker', `"compose "*) exit 1 ;;${ofCompose('')}${inspect}`).add('docker-compose', ofCompose(''));
}

describe.each(['docker compose', 'docker-compose'] as const)('with %s', (compose) => {
  it('a reset that keeps the database stops the orchestrator, removes the engines and starts it', async () => {
    given(compose, { services: ['orchestrator', 'acexy'], engines: ['a', 'a'] });
    const { code, stdout } = await run('reset.sh --keep-database');
    expect([code, stdout]).toEqual([0, expect.stringMatching(/removed 2 engines[^]*orchestrator is healthy/)]);
    expect(commands.calls).toEqual([
      `${compose} stop orchestrator`,
      expect.stringContaining('docker ps -a --filter label=acestream-orchestrator --format'),
      'docker ps -aq --filter label=acestream-orchestrator',
      'docker rm -f engine-0 engine-1',
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
    given(compose, { services: ['orchestrator', 'acexy'], engines: ['a'] });
    const { code, stdout } = await run('reset.sh --everything --yes --images');
    expect([code, stdout]).toEqual([0, expect.stringMatching(/orchestrator is healthy\nacexy is healthy/)]);
    expect(commands.calls.filter((call) => !call.includes(' ps '))).toEqual([
      `${compose} stop orchestrator`,
      'docker rm -f engine-0',
      `${compose} down --volumes --remove-orphans`,
      'docker image prune -f',
      `${compose} up -d`,
    ]);
  });

  it('proxies are restarted one by one, and the orchestrator last', async () => {
    given(compose, { services: ['orchestrator', 'acexy-1', 'acexy-2', 'balancer'] });
    const { code, stdout } = await run('rolling-restart.sh');
    expect([code, stdout]).toEqual([0, expect.not.stringContaining('nobody can play')]);
    expect(commands.calls).toEqual(
      ['acexy-1', 'acexy-2', 'orchestrator'].flatMap((service) => [`${compose} stop ${service}`, `${compose} up -d --no-deps ${service}`]),
    );
  });
});

describe('unclear situations', () => {
  it.each(['--keep-database', '--everything --yes'])('reset.sh %s works when there is nothing to remove', async (option) => {
    given('docker compose', { services: ['orchestrator', 'acexy'] });
    const { code, stdout } = await run(`reset.sh ${option}`);
    expect([code, stdout]).toEqual([0, expect.stringContaining('no engine to remove')]);
    expect(commands.calls.filter((call) => call.includes('rm -f'))).toEqual([]);
  });

  it('a complete reset without confirmation does nothing', async () => {
    given('docker compose', { services: ['orchestrator'] });
    const { code, stderr } = await run('reset.sh --everything');
    expect([code, stderr, commands.calls]).toEqual([1, expect.stringContaining('--yes'), []]);
  });

  it('with engines of several installations on the same Docker Engine, a reset needs INSTALLATION', async () => {
    given('docker compose', { services: ['orchestrator'], engines: ['mine', 'theirs'] });
    const { code, stderr } = await run('reset.sh --keep-database');
    expect([code, stderr]).toEqual([1, expect.stringMatching(/INSTALLATION=[^]*mine\ntheirs/)]);
    expect(commands.calls.filter((call) => call.includes('rm -f'))).toEqual([]);
    expect((await run('reset.sh --keep-database', { INSTALLATION: 'mine' })).code).toBe(0);
    expect(commands.calls).toContain(
      'docker ps -aq --filter label=acestream-orchestrator --filter label=acestream-orchestrator.installation=mine',
    );
  });

  it('a proxy that does not become ready stops the restart of the others, and the message says where to look', async () => {
    given('docker compose', { services: ['orchestrator', 'acexy-1', 'acexy-2'], health: 'unhealthy' });
    const { code, stderr, stdout } = await run('rolling-restart.sh');
    expect([code, stderr]).toEqual([1, expect.stringContaining('docker compose logs --tail=50 acexy-1')]);
    expect(stdout).toContain('nobody can play until acexy-1 is back');
    expect(commands.calls).toEqual(['docker compose stop acexy-1', 'docker compose up -d --no-deps acexy-1']);
  });

  it.each([
    ['reset.sh', 64, 'scripts/reset.sh --keep-database'],
    ['reset.sh --keep-data', 64, 'scripts/reset.sh --keep-database'],
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
