import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts } from './ports.js';
import { ServiceProcess } from './service-process.js';
import { until } from './until.js';

/** Debian package `nginx-light`. Without it, tests that need a real nginx are skipped. */
export const HAS_NGINX = spawnSync('nginx', ['-v']).status === 0;
if (!HAS_NGINX) console.warn('SKIPPED: nginx is not installed, so no test runs behind it');

/** A real nginx in front of a service. User and folders are those of the test; every setting of buffers and times has its default. */
export class Nginx {
  private constructor(
    private readonly process: ServiceProcess,
    private readonly spool: string,
    readonly url: string,
  ) {}

  static async inFrontOf(upstream: string, folder: string): Promise<Nginx> {
    const [port] = await freePorts(1);
    const spool = join(folder, 'nginx-spool');
    mkdirSync(spool, { recursive: true });
    const file = join(folder, 'nginx.conf');
    writeFileSync(
      file,
      `daemon off;
      user root;
      pid ${join(folder, 'nginx.pid')};
      error_log stderr;
      events {}
      http {
        access_log off;
        proxy_temp_path ${spool};
        client_body_temp_path ${join(folder, 'nginx-bodies')};
        server { listen 127.0.0.1:${port}; location / { proxy_pass ${upstream}; } }
      }`,
    );
    const nginx = new Nginx(
      new ServiceProcess('nginx', ['nginx', '-c', file, '-p', folder], { cwd: folder, env: {} }),
      spool,
      `http://127.0.0.1:${port}`,
    );
    await until('nginx answers', async () => (await fetch(nginx.url)).ok);
    return nginx;
  }

  /** Files in which nginx buffers answers now. It deletes their names at once, so they are found among the open files of its workers. */
  spooledFiles(): string[] {
    const { pid } = this.process;
    const workers = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
    return workers.flatMap((worker) =>
      readdirSync(`/proc/${worker}/fd`)
        .map((fd) => readlinkSync(`/proc/${worker}/fd/${fd}`))
        .filter((target) => target.startsWith(this.spool)),
    );
  }

  async stop(): Promise<void> {
    await this.process.stop();
  }
}
