import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { NameServer } from '../doubles/name-server.js';
import { freePorts } from './ports.js';
import { ROOT, ServiceProcess } from './service-process.js';

/** Debian package `haproxy`. Without it, tests that need a real HAProxy are skipped. */
export const HAS_HAPROXY = spawnSync('haproxy', ['-v']).status === 0;
if (!HAS_HAPROXY) console.warn('SKIPPED: haproxy is not installed, so the load balancer in front of several proxies is not tested');

/** A real HAProxy with deploy/two-proxies/haproxy.cfg. It finds the proxies as in a container, with a name server of the test in place of Docker's. */
export class Haproxy {
  private constructor(
    private readonly process: ServiceProcess,
    private readonly names: NameServer,
    readonly url: string,
  ) {}

  /** @param addresses of the proxies, which all listen on `proxyPort` */
  static async start(folder: string, addresses: readonly string[], proxyPort: number): Promise<Haproxy> {
    const [port] = await freePorts(1);
    const names = await NameServer.listen(addresses);
    const changes: [from: string, to: string][] = [
      ['bind :8080', `bind 127.0.0.1:${port}`],
      ['nameserver docker 127.0.0.11:53', `nameserver docker 127.0.0.1:${names.port}`],
      [' acexy:8080', ` acexy:${proxyPort}`],
    ];
    let config = readFileSync(join(ROOT, 'deploy/two-proxies/haproxy.cfg'), 'utf8');
    for (const [from, to] of changes) {
      if (!config.includes(from)) throw new Error(`deploy/two-proxies/haproxy.cfg has no "${from}": change the test with it`);
      config = config.replace(from, to);
    }
    const file = join(folder, 'haproxy.cfg');
    writeFileSync(file, config);
    const process = new ServiceProcess('haproxy', ['haproxy', '-db', '-f', file], { cwd: folder, env: {} });
    return new Haproxy(process, names, `http://127.0.0.1:${port}`);
  }

  /** What the name server knows from now on: containers come and go. */
  set addresses(addresses: readonly string[]) {
    this.names.addresses = addresses;
  }

  get log(): string {
    return this.process.log;
  }

  async stop(): Promise<void> {
    await this.process.stop();
    this.names.close();
  }
}
