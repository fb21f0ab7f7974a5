/**
 * What one stream to many viewers costs: our Broadcast against a plain pipe() fan-out, in one run, on loopback sockets.
 *
 *   npm run build && node bench/fan-out.mjs [--viewers 400] [--megabits 8] [--seconds 8] [--rounds 2] [--arrival 8192] [--save]
 *
 * The server process (this one) reads a paced stream from a socket, as it would from an engine, and serves it to viewers over HTTP/1.1 with
 * chunked replies. Source and viewers are processes of their own; the viewers count what each of them gets. Measured is the CPU time (user and
 * system) of this process alone, from the moment all viewers are being served, per gigabyte that has reached them. Rounds alternate, so that a
 * busy machine hits both.
 *
 * A pipe writes to every viewer whatever has arrived, so its cost hangs on the size of the pieces in which the source hands on the stream
 * (--arrival, bytes); ours does not.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { Broadcast, DEFAULT_BROADCAST_SETTINGS } from '../apps/proxy/dist/broadcast/broadcast.js';

const options = parseArgs({
  options: {
    viewers: { type: 'string', default: '400' },
    megabits: { type: 'string', default: '8' },
    seconds: { type: 'string', default: '8' },
    rounds: { type: 'string', default: '2' },
    arrival: { type: 'string', default: '8192' },
    save: { type: 'boolean', default: false },
  },
}).values;
const viewers = Number(options.viewers);
const bytesPerSecond = (Number(options.megabits) * 1e6) / 8;
const seconds = Number(options.seconds);
const arrivalBytes = Number(options.arrival);

const clock = {
  now: () => performance.now(),
  setTimeout: (run, ms) => setTimeout(run, ms),
  clearTimeout: (handle) => clearTimeout(handle),
};

const HEAD = 'HTTP/1.1 200 OK\r\nContent-Type: video/MP2T\r\nTransfer-Encoding: chunked\r\n\r\n';

/** Ways to serve. Each takes the source socket and gives back how a viewer is added. */
const contenders = {
  /** What a first version of such a proxy does. */
  pipe(source) {
    return (_request, response) => {
      response.writeHead(200, { 'Content-Type': 'video/MP2T' });
      source.pipe(response);
    };
  },
  broadcast(source) {
    const broadcast = new Broadcast(DEFAULT_BROADCAST_SETTINGS, clock);
    source.on('data', (chunk) => broadcast.write(chunk));
    source.on('close', () => broadcast.end());
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

async function measure(name) {
  const engine = child('./fan-out-source.mjs');
  const client = child('./fan-out-clients.mjs');
  engine.send({ bytesPerSecond, arrivalBytes });
  const { port } = await message(engine, 'listening');
  const source = net.connect(port, '127.0.0.1');
  await once(source, 'connect');
  source.on('error', () => source.destroy()); // its process is ended when enough has been measured
  source.setMaxListeners(0);
  const onRequest = contenders[name](source);
  const server = http.createServer((request, response) => onRequest(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  client.send({ port: server.address().port, viewers });
  await message(client, 'all-served');

  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  const before = { cpu: process.cpuUsage(), at: performance.now() };
  client.send('mark');
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const cpu = process.cpuUsage(before.cpu);
  client.send('mark');
  const { received, least, most } = await message(client, 'received');
  const elapsed = (performance.now() - before.at) / 1000;
  delay.disable();

  engine.kill();
  client.kill();
  source.destroy();
  server.closeAllConnections();
  server.close();
  await once(client, 'exit');
  const gigabytes = received / 1e9;
  const cpuSeconds = (cpu.user + cpu.system) / 1e6;
  return {
    name,
    gigabytes: round(gigabytes),
    megabytesPerSecond: round(received / 1e6 / elapsed),
    ofRealTime: round(received / (viewers * bytesPerSecond * elapsed)),
    cpuSeconds: round(cpuSeconds),
    userSeconds: round(cpu.user / 1e6),
    cpuSecondsPerGigabyte: round(cpuSeconds / gigabytes),
    eventLoopDelayP99Ms: round(delay.percentile(99) / 1e6),
    leastMegabytesOfAViewer: round(least / 1e6),
    mostMegabytesOfAViewer: round(most / 1e6),
    rssMegabytes: round(process.memoryUsage().rss / 1e6),
  };
}

function child(file) {
  return fork(new URL(file, import.meta.url), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
}

async function message(client, type) {
  while (true) {
    const [answer] = await once(client, 'message');
    if (answer.type === type) return answer;
  }
}

function round(value) {
  return Math.round(value * 1000) / 1000;
}

function cost(runs, name) {
  const own = runs.filter((run) => run.name === name);
  return own.reduce((sum, run) => sum + run.cpuSeconds, 0) / own.reduce((sum, run) => sum + run.gigabytes, 0);
}

const runs = [];
for (let index = 0; index < Number(options.rounds); index += 1) {
  for (const name of ['pipe', 'broadcast']) {
    const run = await measure(name);
    runs.push(run);
    console.log(
      `${name.padEnd(10)} ${run.cpuSecondsPerGigabyte.toFixed(3)} CPU s/GB (${run.userSeconds} of ${run.cpuSeconds} s in user mode)  ${run.megabytesPerSecond} MB/s (${Math.round(run.ofRealTime * 100)} % of real time)  event loop p99 ${run.eventLoopDelayP99Ms} ms`,
    );
  }
}
const result = {
  benchmark: 'fan-out',
  at: new Date().toISOString(),
  machine: {
    cpu: os.cpus()[0].model,
    cpus: os.cpus().length,
    memoryGigabytes: Math.round(os.totalmem() / 1e9),
    system: `${os.type()} ${os.release().split('-')[0]}`,
    node: process.version,
    loadAverage: round(os.loadavg()[0]),
  },
  parameters: { viewers, megabits: Number(options.megabits), arrivalBytes, seconds, rounds: Number(options.rounds) },
  runs,
  cpuSecondsPerGigabyte: { pipe: round(cost(runs, 'pipe')), broadcast: round(cost(runs, 'broadcast')) },
  ratio: round(cost(runs, 'broadcast') / cost(runs, 'pipe')),
};
console.log(
  `\n${viewers} viewers at ${options.megabits} Mb/s, arriving in pieces of ${arrivalBytes} bytes: broadcast costs ${result.ratio} of a plain pipe (goal: 0.25 or less)`,
);
if (options.save) {
  const folder = new URL('./results/', import.meta.url);
  await mkdir(folder, { recursive: true });
  await writeFile(
    new URL(`fan-out-${viewers}x${options.megabits}-arrival-${arrivalBytes}.json`, folder),
    `${JSON.stringify(result, null, 2)}\n`,
  );
}
process.exitCode = result.ratio <= 0.25 ? 0 : 1;
