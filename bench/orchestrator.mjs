/**
 * Measures the cost of the orchestrator's API: the list of 200 engines (complete, and unchanged), stored events one by one and in batches, and a round
 * of the reconcile loop over 1,000 engines.
 *
 *   npm run build && node bench/orchestrator.mjs [--engines 200] [--reads 3000] [--events 2000] [--pool 1000] [--save]
 *
 * The whole service runs in its own process on a fake runtime that keeps engines in a map; one listener answers for all. Reads are compared with a bare
 * Node server that sends the same bytes, events with better-sqlite3 and one commit for each.
 */
import Database from 'better-sqlite3';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { finish, p50p95p99, percentile, readOptions, round, until } from './support/bench.mjs';

const { engines, reads, events, pool, save } = readOptions({ engines: 200, reads: 3000, events: 2000, pool: 1000 });
const KEY = 'key-of-the-benchmark';
const BATCH = 100;
const AT_ONCE = 50;

async function startOrchestrator(count) {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'bench-orchestrator-'));
  const child = fork(new URL('./support/fake-runtime-orchestrator.mjs', import.meta.url), {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  child.send({ folder, count, key: KEY });
  const [{ port }] = await once(child, 'message');
  const url = `http://127.0.0.1:${port}`;
  const startedAt = performance.now();
  await until(`${count} engines`, async () => (await (await fetch(`${url}/engines`)).json()).length >= count, 100, 120_000);
  return {
    url,
    fillSeconds: (performance.now() - startedAt) / 1000,
    async ask(what) {
      child.send(what);
      return (await once(child, 'message'))[0];
    },
    async stop() {
      child.kill('SIGKILL');
      await once(child, 'exit');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

const agent = new http.Agent({ keepAlive: true });

function call(url, { method = 'GET', headers = {}, body } = {}) {
  const startedAt = performance.now();
  return new Promise((resolve, reject) => {
    const request = http.request(
      url,
      { method, headers: { Authorization: `Bearer ${KEY}`, 'Content-Type': 'application/json', ...headers }, agent },
      (response) => {
        const chunks = [];
        response.on('data', (chunk) => chunks.push(chunk));
        response.on('end', () =>
          resolve({
            ms: performance.now() - startedAt,
            status: response.statusCode,
            headers: response.headers,
            body: Buffer.concat(chunks),
          }),
        );
      },
    );
    request.once('error', reject);
    request.end(body);
  });
}

/** Milliseconds of each of `count` sequential calls. */
async function times(count, url, options, status) {
  const all = [];
  for (let index = 0; index < count; index += 1) {
    const answer = await call(url, options);
    if (answer.status !== status) throw new Error(`${url}: ${answer.status} instead of ${status}`);
    all.push(answer.ms);
  }
  return all;
}

function event(index, engine) {
  const key = index.toString(16).padStart(40, 'e');
  return {
    engine: { host: engine.host, port: engine.port },
    stream: { key_type: 'infohash', key },
    session: {
      playback_session_id: `s${index}`,
      stat_url: `http://x/ace/stat/${key}/s`,
      command_url: `http://x/ace/cmd/${key}/s`,
      is_live: 1,
    },
  };
}

/** Calls per second, for `count` calls of `run` with AT_ONCE in parallel. */
async function rate(count, run) {
  const startedAt = performance.now();
  let next = 0;
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (next < count) await run(next++);
    }),
  );
  return (count / (performance.now() - startedAt)) * 1000;
}

function bareInserts(count) {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'bench-sqlite-'));
  const database = new Database(path.join(folder, 'bare.db'));
  database.pragma('journal_mode = WAL');
  database.pragma('synchronous = NORMAL');
  database.exec('CREATE TABLE streams (id TEXT PRIMARY KEY, what TEXT)');
  const insert = database.prepare('INSERT INTO streams VALUES (?, ?)');
  const startedAt = performance.now();
  for (let index = 0; index < count; index += 1) insert.run(`stream-${index}`, JSON.stringify(event(index, { host: 'x', port: 1 })));
  const perSecond = (count / (performance.now() - startedAt)) * 1000;
  database.close();
  rmSync(folder, { recursive: true });
  return perSecond;
}

const rows = [];
const details = {};
const small = await startOrchestrator(engines);
try {
  const { headers, body } = await call(`${small.url}/engines`);
  const bare = http.createServer((request, response) =>
    response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': body.length }).end(body),
  );
  bare.listen(0, '127.0.0.1');
  await once(bare, 'listening');
  const floor = await times(reads, `http://127.0.0.1:${bare.address().port}/`, {}, 200);
  bare.close();
  const complete = await times(reads, `${small.url}/engines`, {}, 200);
  const unchanged = await times(reads, `${small.url}/engines`, { headers: { 'If-None-Match': headers.etag } }, 304);
  for (const [what, all] of [
    ['complete', complete],
    ['unchanged (304)', unchanged],
  ])
    for (const share of [0.5, 0.99]) {
      const ours = percentile(all, share);
      const other = percentile(floor, share);
      rows.push({
        what: `GET /engines with ${engines} engines, ${what}, p${share * 100}`,
        ours: `${round(ours, 2)} ms`,
        other: `bare Node ${round(other, 2)} ms`,
        ratio: round(ours / other, 2),
      });
    }
  details.readMs = { bytes: body.length, floor: p50p95p99(floor, 2), complete: p50p95p99(complete, 2), unchanged: p50p95p99(unchanged, 2) };

  const known = JSON.parse(body);
  const bareRate = bareInserts(events);
  const single = await rate(events, async (index) => {
    const answer = await call(`${small.url}/events/stream_started`, {
      method: 'POST',
      body: JSON.stringify(event(index, known[index % known.length])),
    });
    if (answer.status !== 202) throw new Error(`event rejected: ${answer.status} ${answer.body}`);
  });
  const batched =
    BATCH *
    (await rate(events / BATCH, async (index) => {
      const started = Array.from({ length: BATCH }, (_, place) => event(1_000_000 + index * BATCH + place, known[place % known.length]));
      const answer = await call(`${small.url}/events/batch`, { method: 'POST', body: JSON.stringify({ started, ended: [] }) });
      if (answer.status !== 200 || !JSON.parse(answer.body).started.every(({ success }) => success))
        throw new Error(`batch rejected: ${answer.status} ${answer.body}`);
    }));
  for (const [what, perSecond] of [
    [`one by one, ${AT_ONCE} in parallel`, single],
    [`in batches of ${BATCH}`, batched],
  ])
    rows.push({
      what: `Events stored, ${what}`,
      ours: `${Math.round(perSecond)} a second`,
      other: `bare inserts ${Math.round(bareRate)} a second`,
      ratio: round(perSecond / bareRate, 2),
    });
} finally {
  await small.stop();
}

const large = await startOrchestrator(pool);
try {
  const { roundsMs } = await large.ask('rounds');
  const share = [0.5, 0.99].map((p) => `p${p * 100} ${round(percentile(roundsMs, p), 2)} ms`);
  rows.push({
    what: `Reconcile round over ${pool} engines`,
    ours: share.join(', '),
    goal: 'p99 50 ms',
    met: percentile(roundsMs, 0.99) <= 50,
  });
  rows.push({ what: `From 0 to ${pool} engines, fake runtime`, ours: `${round(large.fillSeconds, 1)} s` });
  details.reconcileMs = p50p95p99(roundsMs, 2);
} finally {
  await large.stop();
}
agent.destroy();
await finish({ benchmark: 'orchestrator', parameters: { engines, reads, events, pool }, rows, details, save });
