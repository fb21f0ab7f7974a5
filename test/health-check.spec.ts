import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const SCRIPT = `${ROOT}docker/health-check.sh`;

describe('the health check of the images', () => {
  let server: Server | undefined;
  afterEach(() => {
    server?.closeAllConnections();
    server?.close();
  });

  async function serve(answer: RequestListener): Promise<number> {
    server = createServer(answer).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  }
  async function check(service: string, env: Record<string, string>): Promise<[number, string]> {
    const child = spawn('bash', [SCRIPT, service], { env, stdio: ['ignore', 'ignore', 'pipe'] });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    const [code] = (await once(child, 'close')) as [number];
    return [code, stderr];
  }

  it.each([
    ['orchestrator', (port: number) => ({ APP_PORT: String(port) })],
    ['proxy', (port: number) => ({ ACEXY_LISTEN_ADDR: `:${port}` })],
    ['proxy', (port: number) => ({ ACEXY_ADDR: `0.0.0.0:${port}` })],
  ])('passes while the %s answers /health with 200', async (service, env) => {
    const port = await serve((request, response) => response.writeHead(request.url === '/health' ? 200 : 404).end('{}'));
    expect(await check(service, env(port))).toEqual([0, '']);
  });

  it('fails and says why: another status, no answer, no service', async () => {
    const env = { APP_PORT: String(await serve((_, response) => response.writeHead(503).end())) };
    expect(await check('orchestrator', env)).toEqual([1, '/health answered 503\n']);
    server!.removeAllListeners('request').on('request', (request) => request.socket.destroy());
    expect(await check('orchestrator', env)).toEqual([1, expect.stringContaining('/health did not answer')]);
    server!.close();
    await once(server!, 'close');
    expect(await check('orchestrator', env)).toEqual([1, expect.stringContaining('Connection refused')]);
  });

  it('uses a few milliseconds of processor time', async () => {
    const port = await serve((_, response) => response.end());
    const child = spawn('bash', ['-c', `for i in {1..20}; do bash ${SCRIPT} orchestrator || exit 1; done; times`], {
      env: { APP_PORT: String(port) },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let stdout = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    expect(await once(child, 'close')).toEqual([0, null]);
    // The last line has the user and system time of the children: 0m0.031s 0m0.012s
    const [user, system] = stdout
      .trim()
      .split('\n')[1]
      .split(' ')
      .map((text) => Number(/m([\d.]+)s/.exec(text)?.[1]));
    expect((user + system) / 20).toBeLessThan(0.02);
  });

  it('is the check of both images and runs nothing else, with options that Docker Engine 20.10 and Compose 1 know', () => {
    const checks = [...readFileSync(`${ROOT}Dockerfile`, 'utf8').matchAll(/^HEALTHCHECK (.*)\\\n\s+CMD (.*)$/gm)];
    expect(checks.map(([, , command]) => command)).toEqual(
      ['proxy', 'orchestrator'].map((service) => `["bash", "/app/docker/health-check.sh", "${service}"]`),
    );
    const texts = [
      ...checks.map(([, options]) => options),
      ...readdirSync(ROOT)
        .filter((name) => /^docker-compose.*\.yml$/.test(name))
        .map((name) => readFileSync(ROOT + name, 'utf8')),
    ];
    expect(texts.filter((text) => /start.interval/.test(text))).toEqual([]);
  });
});
