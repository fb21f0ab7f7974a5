/** Server of fan-out.mjs. One process for each measurement, so that its memory is that of one contender. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { EngineClient } from '@acexy/engine-client';
import { Broadcast, DEFAULT_BROADCAST_SETTINGS } from '../apps/proxy/dist/broadcast/broadcast.js';
import { MediaFeed } from '../apps/proxy/dist/sessions/media-feed.js';

const clock = {
  now: () => performance.now(),
  setTimeout: (run, ms) => setTimeout(run, ms),
  clearTimeout: (handle) => clearTimeout(handle),
};

const HEAD = 'HTTP/1.1 200 OK\r\nContent-Type: video/MP2T\r\nTransfer-Encoding: chunked\r\n\r\n';

/** The contenders. Each requests a stream from the engine at `port` and returns a function that adds a viewer. */
const contenders = {
  /** The plain implementation. */
  async pipe(port) {
    const exchange = http.get({ port, host: '127.0.0.1', agent: false });
    const [source] = await once(exchange, 'response');
    source.on('error', () => undefined); // its process is stopped after the measurement
    source.setMaxListeners(0);
    return (_request, response) => {
      response.writeHead(200, { 'Content-Type': 'video/MP2T' });
      source.pipe(response);
    };
  },
  async broadcast(port) {
    const media = await new EngineClient({ host: '127.0.0.1', port }).openMedia('/', { headersTimeoutMs: 5000, shareBuffer: true });
    const broadcast = new Broadcast(DEFAULT_BROADCAST_SETTINGS, clock);
    const feed = new MediaFeed(media, broadcast, clock, undefined, (_ended, error) => {
      throw error;
    });
    feed.watch({ onLoss: () => broadcast.end(), onQuiet: () => undefined, onFlowing: () => undefined });
    return (request) => {
      const socket = request.socket;
      socket.setNoDelay(true);
      socket.write(HEAD);
      const sink = {
        framing: 'chunked',
        write: (bytes, done) => socket.write(bytes, done),
        end: (final) => socket.end(final),
      };
      const viewer = broadcast.addViewer(sink, { onEnd: (reason) => reason !== 'source-ended' && socket.destroy() });
      socket.on('close', () => broadcast.removeViewer(viewer));
    };
  },
};

const [{ contender, streams, sourcePort }] = await once(process, 'message');
const adders = await Promise.all(Array.from({ length: streams }, () => contenders[contender](sourcePort)));
const server = http.createServer((request, response) => adders[Number(request.url.slice(1))](request, response));
server.listen(0, '127.0.0.1', 4096);
await once(server, 'listening');
process.send({ type: 'listening', port: server.address().port });

const delay = monitorEventLoopDelay({ resolution: 5 });
let before;
process.on('message', (message) => {
  if (message === 'begin') {
    before = process.cpuUsage();
    delay.enable();
    return;
  }
  const { user, system } = process.cpuUsage(before);
  // Peak memory of this process alone, unlike the figure of getrusage.
  const [, kilobytes] = /VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'));
  process.send({ type: 'cost', user, system, peakBytes: Number(kilobytes) * 1024, delayP99Ms: delay.percentile(99) / 1e6 });
});
