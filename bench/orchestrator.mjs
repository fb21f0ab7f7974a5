/**
 * Measures the cost of the orchestrator's API: the list of 200 engines (complete, and unchanged) at a constant rate, stored events one by one and in
 * batches, and a round of the reconcile loop over 1,000 engines.
 *
 *   npm run build && node bench/orchestrator.mjs [--engines 200] [--rate 500] [--reads 2500] [--events 4000] [--pool 1000] [--rounds 5] [--save]
 *
 * The whole service runs in its own process on a fake runtime that keeps engines in a map; one listener answers for all. The client is another process.
 * Reads are compared with a bare Node server that sends the same bytes, events with better-sqlite3 and one commit for each. Each figure is the median
 * of the rounds, in which both sides take turns.
 */
import Database from 'better-sqlite3';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { finish, p50p95p99, percentile, readOptions, round, until } from './support/bench.mjs';

const { save, ...parameters } = readOptions({ engines: 200, rate: 500, reads: 2500, events: 4000, pool: 1000, rounds: 5 });
const { engines, rate, reads, events, pool, rounds } = parameters;
const KEY = 'key-of-the-benchmark';
const BATCH = 100;
const AT_ONCE = 50;
const ENDS_AT_ONCE = 1000;
const EVENTS_GOAL = 2000;
const READ_GOAL_MS = 10;
const ROUND_GOAL_MS = 50;
const REPLY_LIMIT_MS = 120_000;

const HEADERS = { Authorization: `Bearer ${KEY}`, 'Content-Type': 'application/json' };
const median = (values) => percentile(values, 0.5);

/** A child process that answers each message with one. */
class Helper {
  constructor(file) {
    this.child = fork(new URL(`./support/${file}`, import.meta.url), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.child.once('exit', () => this.child.emit('error', new Error(`${file} ended early`)));
  }

  async ask(what) {
    this.child.send(what);
    const [answer] = await once(this.child, 'message', { signal: AbortSignal.timeout(REPLY_LIMIT_MS) });
    return answer;
  }

  async stop() {
    this.child.removeAllListeners('exit').kill('SIGKILL');
    await once(this.child, 'exit');
  }
}

async function startOrchestrator(count) {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'bench-orchestrator-'));
  const service = new Helper('fake-runtime-orchestrator.mjs');
  const { port } = await service.ask({ folder, count, key: KEY });
  const url = `http://127.0.0.1:${port}`;
  const startedAt = performance.now();
  await until(`${count} engines`, async () => (await (await fetch(`${url}/engines`)).json()).length >= count, 100, 120_000);
  return {
    url,
    fillSeconds: (performance.now() - startedAt) / 1000,
    ask: (what) => service.ask(what),
    async stop() {
      await service.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
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

/** The run of the client, and the CPU milliseconds of the service for each call. */
async function measured(service, client, run) {
  const before = await service.ask('cpu');
  const { times, seconds } = await client.ask({ headers: HEADERS, ...run });
  return { times, perSecond: run.count / seconds, cpuMs: (((await service.ask('cpu')) - before) / run.count) * 1000 };
}

/** Reads at a constant rate: complete, unchanged, and from a bare server. */
async function readRows(service, client) {
  const url = `${service.url}/engines`;
  const first = await fetch(url);
  const text = await first.text();
  const bare = new Helper('bare-server.mjs');
  const { port } = await bare.ask({ text });
  const constant = { count: reads, perSecond: rate, status: 200 };
  const results = { bare: [], complete: [], unchanged: [] };
  for (let index = 0; index < rounds; index += 1) {
    results.bare.push(await client.ask({ ...constant, url: `http://127.0.0.1:${port}/` }));
    results.complete.push(await measured(service, client, { ...constant, url }));
    const headers = { ...HEADERS, 'If-None-Match': first.headers.get('etag') };
    results.unchanged.push(await measured(service, client, { ...constant, url, headers, status: 304 }));
  }
  await bare.stop();
  const at = (name, share) => round(median(results[name].map(({ times }) => percentile(times, share))), 2);
  const row = (what, name) => ({
    what: `GET /engines, ${engines} engines, ${rate} a second, ${what}: p50, p99`,
    ours: `${at(name, 0.5)} ms, ${at(name, 0.99)} ms (CPU ${round(median(results[name].map(({ cpuMs }) => cpuMs)), 2)} ms)`,
    other: `bare Node ${at('bare', 0.5)} ms, ${at('bare', 0.99)} ms`,
    ratio: round(at(name, 0.99) / at('bare', 0.99), 2),
    goal: `p99 ${READ_GOAL_MS} ms`,
    met: at(name, 0.99) <= READ_GOAL_MS,
  });
  const details = Object.fromEntries(
    Object.entries(results).map(([name, all]) => [name, all.map(({ times, cpuMs }) => ({ ...p50p95p99(times, 2), cpuMs }))]),
  );
  return { rows: [row('complete', 'complete'), row('unchanged (304)', 'unchanged')], details: { bytes: text.length, reads: details } };
}

/** Ends all streams, so that every round starts with none. @throws unless `expected` streams play */
async function endAll(service, expected) {
  const playing = await (await fetch(`${service.url}/streams?status=started`)).json();
  if (playing.length !== expected) throw new Error(`${playing.length} streams play after ${expected} events`);
  for (let first = 0; first < expected; first += ENDS_AT_ONCE) {
    const ended = playing.slice(first, first + ENDS_AT_ONCE).map(({ id }) => ({ stream_id: id }));
    const answer = await fetch(`${service.url}/events/batch`, { method: 'POST', headers: HEADERS, body: JSON.stringify({ ended }) });
    if (!answer.ok) throw new Error(`ends rejected: ${answer.status} ${await answer.text()}`);
  }
}

async function eventRows(service, client) {
  const known = await (await fetch(`${service.url}/engines`)).json();
  let next = 0;
  const some = (count) => Array.from({ length: count }, () => event(next++, known[next % known.length]));
  const bodies = { single: () => some(events).map((each) => JSON.stringify(each)) };
  bodies.batched = () => Array.from({ length: events / BATCH }, () => JSON.stringify({ started: some(BATCH), ended: [] }));
  const results = { bare: [], single: [], batched: [] };
  const post = (path, status, texts) =>
    measured(service, client, { url: service.url + path, method: 'POST', count: texts.length, bodies: texts, atOnce: AT_ONCE, status });
  for (let index = 0; index < rounds; index += 1) {
    results.bare.push({ perSecond: bareInserts(events), cpuMs: null });
    results.single.push(await post('/events/stream_started', 202, bodies.single()));
    await endAll(service, events);
    const { perSecond, cpuMs } = await post('/events/batch', 200, bodies.batched());
    results.batched.push({ perSecond: perSecond * BATCH, cpuMs: cpuMs / BATCH });
    await endAll(service, events);
  }
  const of = (name, field) => median(results[name].map((result) => result[field]));
  const row = (what, name) => ({
    what: `Events stored, ${what}`,
    ours: `${Math.round(of(name, 'perSecond'))} a second (CPU ${round(of(name, 'cpuMs'), 2)} ms)`,
    other: `bare inserts ${Math.round(of('bare', 'perSecond'))} a second`,
    ratio: round(of(name, 'perSecond') / of('bare', 'perSecond'), 2),
  });
  const single = row(`one by one, ${AT_ONCE} in parallel`, 'single');
  return {
    rows: [
      { ...single, goal: `${EVENTS_GOAL} a second`, met: of('single', 'perSecond') >= EVENTS_GOAL },
      row(`in batches of ${BATCH}`, 'batched'),
    ],
    details: {
      events: Object.fromEntries(
        Object.entries(results).map(([name, all]) => [name, all.map(({ perSecond, cpuMs }) => ({ perSecond, cpuMs }))]),
      ),
    },
  };
}

async function poolRows(service) {
  const roundsMs = await service.ask('rounds');
  const at = (share) => round(percentile(roundsMs, share), 2);
  return {
    rows: [
      {
        what: `Reconcile round over ${pool} engines: p50, p99`,
        ours: `${at(0.5)} ms, ${at(0.99)} ms`,
        goal: `p99 ${ROUND_GOAL_MS} ms`,
        met: at(0.99) <= ROUND_GOAL_MS,
      },
      { what: `From 0 to ${pool} engines, fake runtime`, ours: `${round(service.fillSeconds, 1)} s` },
    ],
    details: { reconcileMs: p50p95p99(roundsMs, 2) },
  };
}

const client = new Helper('api-client.mjs');
const parts = [];
for (const [count, measures] of [
  [engines, [readRows, eventRows]],
  [pool, [poolRows]],
]) {
  const service = await startOrchestrator(count);
  try {
    for (const measure of measures) parts.push(await measure(service, client));
  } finally {
    await service.stop();
  }
}
await client.stop();
const rows = parts.flatMap((part) => part.rows);
await finish({ benchmark: 'orchestrator', parameters, rows, details: Object.assign({}, ...parts.map(({ details }) => details)), save });
