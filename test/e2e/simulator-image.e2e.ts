import { randomUUID } from 'node:crypto';
import { afterAll, describe, expect, it } from 'vitest';
import { containersWith, docker, DOCKER_MISSING, removeContainersWith, SIMULATOR_IMAGE } from '../support/docker.js';
import { runTool, type ToolResult } from '../support/media-tools.js';
import { until } from '../support/until.js';

const LABEL = `acestream-orchestrator-test=${randomUUID()}`;
const QUICK = ['--env', 'SIM_BOOT_MS=100'];

/** Runs the docker command line. */
function cli(...args: string[]): Promise<ToolResult> {
  return runTool('docker', args, { limitMs: 30_000 });
}

async function run(options: string[], command: string[] = []): Promise<string> {
  const { code, output } = await cli(
    'run',
    '--detach',
    '--label',
    LABEL,
    '--publish',
    '127.0.0.1::6878',
    ...QUICK,
    ...options,
    SIMULATOR_IMAGE,
    ...command,
  );
  expect(code, output).toBe(0);
  return output.trim();
}

async function addressOf(id: string): Promise<string> {
  const { NetworkSettings } = await docker.getContainer(id).inspect();
  return `http://127.0.0.1:${NetworkSettings.Ports['6878/tcp'][0].HostPort}`;
}

/** The engine's answer after it has booted. */
async function versionOf(id: string): Promise<string> {
  const url = `${await addressOf(id)}/webui/api/service?method=get_version`;
  return until('the engine answers', async () => (await fetch(url, { signal: AbortSignal.timeout(1000) })).text());
}

/** Runs a command in the container as `docker exec` does. */
async function exec(id: string, ...command: string[]): Promise<ToolResult> {
  return cli('exec', id, ...command);
}

describe('the image of the simulator', () => {
  if (DOCKER_MISSING !== null) {
    it.skip(DOCKER_MISSING, () => undefined);
    return;
  }

  afterAll(async () => {
    await removeContainersWith(LABEL);
    expect(await containersWith(LABEL)).toEqual([]);
  });

  it.each([
    ['nothing but its environment', ['--env', 'CONF=--http-port=6878\n--https-port=6879\n--bind-all', '--env', 'HTTP_PORT=6878'], []],
    ['options alone', [], ['--bind-all', '--http-port', '6878']],
    ['python main.py', [], ['python', 'main.py', '--bind-all', '--http-port', '6878', '--disable-sentry', '--log-stdout']],
    ['/app/start-engine', [], ['/app/start-engine', '--client-console', '--bind-all']],
    ['/acestream/acestreamengine', [], ['/acestream/acestreamengine', '--client-console', '--bind-all']],
  ])('starts with %s, like one of the real images', async (_form, options, command) => {
    expect(await versionOf(await run(options, command))).toContain('"error": null');
  });

  it('delivers a stream on the published port', async () => {
    const id = await run(['--env', 'BIND_ALL=true', '--env', 'SIM_PREBUF_MS=100']);
    await versionOf(id);
    const media = await fetch(`${await addressOf(id)}/ace/getstream?id=${'a'.repeat(40)}`, { signal: AbortSignal.timeout(10_000) });
    const reader = media.body!.getReader();
    const { value } = await reader.read();
    await reader.cancel();
    expect(media.status).toBe(200);
    expect(value!.length).toBeGreaterThan(188);
    expect(value![0]).toBe(0x47);
  });

  it('cannot be reached from outside without --bind-all', async () => {
    const id = await run([]);
    await until(
      'it listens inside',
      async () => (await exec(id, 'curl', '-fs', 'http://127.0.0.1:6878/webui/api/service?method=get_version')).code === 0,
    );
    await expect(fetch(await addressOf(id), { signal: AbortSignal.timeout(1000) })).rejects.toThrow();
  });

  it('has the tools that operators use: sh, cat, curl, du, rm and certificates, as an unprivileged user', async () => {
    const id = await run(['--env', 'BIND_ALL=true']);
    await versionOf(id);
    const script = [
      'set -e',
      'cat /acestream/engine_runtime.json',
      'du -s /home/appuser/.ACEStream >/dev/null',
      'rm -rf /home/appuser/.ACEStream/.acestream_cache',
      'curl --version >/dev/null',
      'test -s /etc/ssl/certs/ca-certificates.crt',
    ].join('; ');
    const { code, output } = await exec(id, 'sh', '-c', script);
    expect(code, output).toBe(0);
    expect(JSON.parse(output)).toEqual({ access_token: expect.stringMatching(/^[0-9a-f]{64}$/) });
    expect((await docker.getContainer(id).inspect()).Config.User).toBe('1000:1000');
    expect((await exec(id, 'sh', '-c', 'echo x >/etc/x')).code).not.toBe(0);
  });

  it('has a health check that succeeds after the boot, on the configured port', async () => {
    const id = await run(['--env', 'BIND_ALL=true', '--env', 'HTTP_PORT=7001', '--env', 'SIM_BOOT_MS=1000']);
    const { Healthcheck } = (await docker.getContainer(id).inspect()).Config as { Healthcheck?: { Test: string[] } };
    const [form, ...command] = Healthcheck!.Test;
    expect(form).toBe('CMD');
    expect((await exec(id, ...command)).code).not.toBe(0);
    await until('the health check passes', async () => (await exec(id, ...command)).code === 0);
  });

  it('exits at once with success on SIGTERM', async () => {
    const id = await run(['--env', 'BIND_ALL=true']);
    await versionOf(id);
    await cli('stop', '--time', '10', id);
    const { State } = await docker.getContainer(id).inspect();
    expect(State).toMatchObject({ ExitCode: 0, OOMKilled: false });
  });

  it('rejects an unknown option', async () => {
    const id = await run([], ['--no-such-option']);
    expect(await docker.getContainer(id).wait()).toMatchObject({ StatusCode: 1 });
    expect((await cli('logs', id)).output).toContain('unrecognized option: --no-such-option');
  });
});
