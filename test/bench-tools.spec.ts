/** The native tools of the benchmarks, whose figures are only as honest as they are. */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { H264, TEST_AUDIO, TEST_PICTURE, ffmpegClip } from './doubles/ffmpeg-clips.js';
import { HAS_FFMPEG } from './support/media-tools.js';
import { ROOT } from './support/service-process.js';
import { checkTs } from './support/ts-checker.js';

const HAS_COMPILER = spawnSync('gcc', ['--version']).status === 0;
if (!HAS_COMPILER) console.warn('SKIPPED: gcc is not installed, so the native tools of the benchmarks are not tested');

interface Program {
  next(): Promise<Record<string, number>>;
  ask(line: string): Promise<Record<string, number>>;
  stop(): Promise<void>;
}
interface Native {
  nativeTool(name: string): string;
  JsonProgram: new (command: string, options: unknown[]) => Program;
}

describe.skipIf(!HAS_COMPILER || !HAS_FFMPEG)('the native tools of the benchmarks', async () => {
  const { nativeTool, JsonProgram } = (await import(pathToFileURL(join(ROOT, 'bench/support/native.mjs')).href)) as Native;
  const folder = mkdtempSync(join(tmpdir(), 'bench-tools-'));
  const running: Program[] = [];
  const start = (name: string, options: unknown[]): Program => {
    const program = new JsonProgram(nativeTool(name), options);
    running.push(program);
    return program;
  };
  /** The port of a source that plays one second of H.264 and AAC at 1 Mb/s, with null packets. */
  async function startSource(...options: string[]): Promise<number> {
    const codecs = ['-c:v', H264.encoder, ...H264.options, '-b:v', '700k', '-maxrate', '700k', '-bufsize', '200k', '-c:a', 'aac'];
    const clip = join(folder, 'clip.ts');
    writeFileSync(clip, ffmpegClip([...TEST_PICTURE, ...TEST_AUDIO, ...codecs, '-t', '1', '-muxrate', '1M']));
    return (await start('source', [...options, clip]).next()).port;
  }
  afterAll(async () => {
    await Promise.all(running.map((program) => program.stop()));
    rmSync(folder, { recursive: true });
  });

  it.each([[['-c', '5000']], [['-p']]])('the source (%s) plays a clip again and again without a jump', async (options) => {
    const request = http.get({ port: await startSource(...options), path: '/play/1', agent: false });
    const [reply] = (await once(request, 'response')) as [http.IncomingMessage];
    let body = Buffer.alloc(0);
    for await (const part of reply as AsyncIterable<Buffer>) {
      body = Buffer.concat([body, part]);
      if (body.length > 200_000) break;
    }
    const { faults, seconds } = checkTs(body.subarray(0, body.length - (body.length % 188)));
    expect(faults).toEqual([]);
    expect(seconds).toBeGreaterThan(1.2);
  });

  it('every packet of the source reaches the viewers of the C loop', async () => {
    const { port } = await start('fan-out', ['-s', await startSource(), '-n', 2, '-w', 10_000, '-r', 100_000]).next();
    const viewers = start('viewers', ['-p', port, '-n', 2, '-v', 2, '-c', 3]);
    let report;
    do report = await viewers.ask('report');
    while (report.served < 4);
    expect(report).toMatchObject({ gaps: 0, badSync: 0, closed: 0 });
  });

  it('a viewer notices missing packets and a wrong packet border', async () => {
    const packet = (counter: number): Buffer => Buffer.concat([Buffer.from([0x47, 0x01, 0x00, 0x10 | (counter & 15)]), Buffer.alloc(184)]);
    const packets = [0, 1, 2, 3, 4, 5, 6, 9, 10].map(packet);
    const server = http.createServer((_request, response) => {
      for (const part of packets) response.write(part);
      response.write('not a packet');
      for (let counter = 0; counter < 10; counter += 1) response.write(packet(counter));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const viewers = start('viewers', ['-p', (server.address() as { port: number }).port, '-c', 1]);
    let bytes = 0;
    const total = { gaps: 0, badSync: 0 };
    while (bytes < 19 * 188) {
      const report = await viewers.ask('report');
      bytes += report.bytes;
      total.gaps += report.gaps;
      total.badSync += report.badSync;
    }
    server.closeAllConnections();
    server.close();
    expect(total).toEqual({ gaps: 2, badSync: 1 });
  });
});
