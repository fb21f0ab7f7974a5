/** Shared by the benchmarks: statistics, options, and storing results. */
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import net from 'node:net';
import os from 'node:os';
import { parseArgs } from 'node:util';

export const round = (value, digits = 3) => Number(value.toFixed(digits));
/** With a sign, for differences. */
export const signed = (value) => (value > 0 ? `+${value}` : String(value));
export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** The percentile `share` (0 to 1). */
export function percentile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
}

export function p50p95p99(values, digits = 1) {
  return Object.fromEntries([0.5, 0.95, 0.99].map((share) => [`p${share * 100}`, round(percentile(values, share), digits)]));
}

/** Options of a benchmark with their defaults, numbers or texts, and `--save`. */
export function readOptions(defaults) {
  const options = Object.fromEntries(Object.entries(defaults).map(([name, value]) => [name, { type: 'string', default: String(value) }]));
  const { save, ...values } = parseArgs({ options: { ...options, save: { type: 'boolean', default: false } } }).values;
  const typed = ([name, value]) => [name, typeof defaults[name] === 'string' ? value : Number(value)];
  return { save, ...Object.fromEntries(Object.entries(values).map(typed)) };
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
    const value = await condition().catch(() => null); // not yet; the limit below reports a condition that never becomes true
    if (value) return value;
    if (performance.now() > end) throw new Error(`not within ${limitMs} ms: ${what}`);
    await pause(everyMs);
  }
}

/** The machine, and how busy it was. */
function machine() {
  return {
    cpu: os.cpus()[0].model,
    cpus: os.cpus().length,
    memoryGigabytes: Math.round(os.totalmem() / 1e9),
    system: `${os.type()} ${os.release().split('-')[0]}`,
    node: process.version,
    loadAverage: round(os.loadavg()[0], 2),
  };
}

function printRows(rows) {
  for (const { what, ours, acexy, other, ratio, goal, met } of rows) {
    const verdict = goal === undefined ? '' : ` (goal: ${goal}${met ? '' : ', MISSED'})`;
    console.log(
      `${what}: ${ours}${acexy ? `, acexy ${acexy}` : ''}${other ? `, ${other}` : ''}${ratio === undefined ? '' : `, ratio ${ratio}`}${verdict}`,
    );
  }
}

/**
 * Prints the rows of the result, stores it with --save, and exits with 1 if a goal is missed. A row has `what` and `ours` (texts), and optionally
 * `acexy` and `other` (texts), `ratio`, `goal` and `met`. `file` is the name of the stored result where it is not that of the benchmark.
 */
export async function finish({ benchmark, file = benchmark, parameters, rows, details, save }) {
  const result = { benchmark, at: new Date().toISOString(), machine: machine(), parameters, rows, ...details };
  printRows(rows);
  process.send?.({ type: 'result', result });
  if (save) {
    const folder = new URL('../results/', import.meta.url);
    await mkdir(folder, { recursive: true });
    await writeFile(new URL(`${file}.json`, folder), `${JSON.stringify(result, null, 2)}\n`);
  }
  process.exitCode = rows.some(({ met }) => met === false) ? 1 : 0;
}
