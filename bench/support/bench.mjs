/** What the benchmarks share: figures, the machine they were taken on, and where results are kept. */
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import net from 'node:net';
import os from 'node:os';
import { parseArgs } from 'node:util';

export const round = (value, digits = 3) => Number(value.toFixed(digits));
export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** The smallest value that `share` (0 to 1) of all are not above. */
export function percentile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
}

export function p50p95p99(values, digits = 1) {
  return Object.fromEntries([0.5, 0.95, 0.99].map((share) => [`p${share * 100}`, round(percentile(values, share), digits)]));
}

/** The options of a benchmark with their defaults, all numbers, besides `--save`. */
export function readOptions(defaults) {
  const options = Object.fromEntries(Object.entries(defaults).map(([name, value]) => [name, { type: 'string', default: String(value) }]));
  const { save, ...values } = parseArgs({ options: { ...options, save: { type: 'boolean', default: false } } }).values;
  return { save, ...Object.fromEntries(Object.entries(values).map(([name, value]) => [name, Number(value)])) };
}

export async function freePorts(count) {
  const servers = Array.from({ length: count }, () => net.createServer().listen(0));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

export async function until(what, condition, everyMs = 20, limitMs = 60_000) {
  const end = performance.now() + limitMs;
  for (;;) {
    const value = await condition().catch(() => null); // not there yet; the limit below tells of one that never comes
    if (value) return value;
    if (performance.now() > end) throw new Error(`not within ${limitMs} ms: ${what}`);
    await pause(everyMs);
  }
}

/** What the figures were taken on, and how busy it was. */
export function machine() {
  return {
    cpu: os.cpus()[0].model,
    cpus: os.cpus().length,
    memoryGigabytes: Math.round(os.totalmem() / 1e9),
    system: `${os.type()} ${os.release().split('-')[0]}`,
    node: process.version,
    loadAverage: round(os.loadavg()[0], 2),
  };
}

/** The rows of a result, a line each. */
export function tell(rows) {
  for (const { what, ours, other, ratio, goal, met } of rows) {
    const judged = goal === undefined ? '' : ` (goal: ${goal}${met ? '' : ', MISSED'})`;
    console.log(`${what}: ${ours}${other ? `, ${other}` : ''}${ratio === undefined ? '' : `, ratio ${ratio}`}${judged}`);
  }
}

/**
 * Tells the rows of the result, keeps it with --save, and ends with 1 where a goal is missed. A row: `what`, `ours`, `other` (texts), and where
 * there are any `ratio`, `goal`, `met`.
 */
export async function finish(name, parameters, rows, details, save) {
  const result = {
    benchmark: name,
    at: new Date().toISOString(),
    machine: machine(),
    parameters,
    rows,
    ...details,
  };
  tell(rows);
  process.send?.({ type: 'result', result });
  if (save) {
    const folder = new URL('../results/', import.meta.url);
    await mkdir(folder, { recursive: true });
    await writeFile(new URL(`${name}.json`, folder), `${JSON.stringify(result, null, 2)}\n`);
  }
  process.exitCode = rows.some(({ met }) => met === false) ? 1 : 0;
}
