import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';
/** Bytes of one write while `bytesPerSecond` is in force. */
const PIECE_BYTES = 64 * 1024;

interface Blob {
  digest: string;
  bytes: Buffer;
}

/**
 * A registry with one image that supports `docker pull` (Docker Registry HTTP API V2). Docker accepts a registry on 127.0.0.1 without TLS.
 * The image is a local one with one more layer. No Docker Engine has that layer yet, so Docker must download all of it.
 */
export class ImageRegistry {
  /** Download speed of layers. */
  bytesPerSecond = Infinity;
  private readonly blobs = new Map<string, Blob>();
  private manifest!: Buffer;
  private readonly server = createServer((request, response) => {
    const path = request.url ?? '';
    if (path === '/v2/') return void response.end('{}');
    if (path.includes('/manifests/')) return this.send(response, MANIFEST, this.manifest, request.method);
    const blob = this.blobs.get(path.split('/').at(-1) ?? '');
    if (!blob) return void response.writeHead(404).end();
    this.sendSlowly(response, blob.bytes);
  });

  static async with(image: string): Promise<ImageRegistry> {
    const registry = new ImageRegistry();
    registry.take(image);
    registry.server.listen(0, '127.0.0.1');
    await once(registry.server, 'listening');
    return registry;
  }

  /** Name of the image for `docker pull`. */
  get image(): string {
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}/engine:latest`;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }

  private take(image: string): void {
    const folder = mkdtempSync(join(tmpdir(), 'image-'));
    try {
      execFileSync('sh', ['-c', `docker save ${image} | tar -C ${folder} -x`]);
      const [{ Config, Layers }] = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as [
        { Config: string; Layers: string[] },
      ];
      const config = this.add(readFileSync(join(folder, Config)));
      const layers = Layers.map((layer) => this.add(readFileSync(join(folder, layer))));
      const describe = ({ digest, bytes }: Blob, mediaType: string): object => ({ mediaType, size: bytes.length, digest });
      this.manifest = Buffer.from(
        JSON.stringify({
          schemaVersion: 2,
          mediaType: MANIFEST,
          config: describe(config, 'application/vnd.docker.container.image.v1+json'),
          layers: layers.map((layer) => describe(layer, 'application/vnd.docker.image.rootfs.diff.tar')),
        }),
      );
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  private add(bytes: Buffer): Blob {
    const blob = { digest: `sha256:${createHash('sha256').update(bytes).digest('hex')}`, bytes };
    this.blobs.set(blob.digest, blob);
    return blob;
  }

  private send(response: ServerResponse, type: string, bytes: Buffer, method = 'GET'): void {
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    response.writeHead(200, { 'Content-Type': type, 'Content-Length': bytes.length, 'Docker-Content-Digest': digest });
    response.end(method === 'HEAD' ? undefined : bytes);
  }

  private sendSlowly(response: ServerResponse, bytes: Buffer): void {
    response.writeHead(200, { 'Content-Type': 'application/octet-stream', 'Content-Length': bytes.length });
    let sent = 0;
    const step = (): void => {
      if (response.destroyed) return;
      const size = this.bytesPerSecond === Infinity ? bytes.length - sent : PIECE_BYTES;
      response.write(bytes.subarray(sent, (sent += size)));
      if (sent >= bytes.length) return void response.end();
      setTimeout(step, (PIECE_BYTES / this.bytesPerSecond) * 1000);
    };
    step();
  }
}
