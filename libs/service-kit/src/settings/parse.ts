/** Parsers of environment variables. They return the value, or throw a RangeError that says what is valid ("must be …"). */

import { withoutSlashesAtEnd } from '../primitives/json.js';

/** Inclusive range of TCP ports. */
export interface PortRange {
  first: number;
  last: number;
}

/** Where a service listens. An empty host means all interfaces. */
export interface ListenAddress {
  host: string;
  port: number;
}

const MAX_PORT = 65_535;

export function parseNumber(text: string, { min = -Infinity, max = Infinity, whole = false } = {}): number {
  const value = /^[+-]?(\d+(\.\d*)?|\.\d+)$/.test(text) ? Number(text) : NaN;
  if (Number.isNaN(value) || value < min || value > max || (whole && !Number.isInteger(value))) {
    throw new RangeError(`must be ${whole ? 'a whole number' : 'a number'}${boundsText(min, max)}`);
  }
  return value;
}

function boundsText(min: number, max: number): string {
  if (min > -Infinity && max < Infinity) return ` from ${min} to ${max}`;
  if (min > -Infinity) return ` of at least ${min}`;
  return max < Infinity ? ` of at most ${max}` : '';
}

const DURATION_UNITS: Record<string, number> = { ns: 1e-6, us: 1e-3, µs: 1e-3, μs: 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Parses a duration in Go's format ("3s", "1m30s", "500ms", "0"). Returns milliseconds. */
export function parseDuration(text: string): number {
  if (text === '0') return 0;
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|μs|ms|s|m|h)/gy)];
  const whole = parts.map((part) => part[0]).join('');
  if (parts.length === 0 || whole !== text) throw new RangeError('must be a duration such as 500ms, 3s or 1m30s');
  return parts.reduce((sum, part) => sum + Number(part[1]) * DURATION_UNITS[part[2]], 0);
}

const SIZE_UNITS: Record<string, number> = { '': 1, b: 1, kb: 1e3, mb: 1e6, gb: 1e9, kib: 2 ** 10, mib: 2 ** 20, gib: 2 ** 30 };

/** Parses a size such as "4.2MiB" or "512KB". Returns whole bytes. */
export function parseSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text);
  const unit = match && SIZE_UNITS[match[2].toLowerCase()];
  if (!match || unit === undefined || unit === null) throw new RangeError('must be a size such as 4.2MiB, 512KB or a number of bytes');
  return Math.round(Number(match[1]) * unit);
}

export function parseBoolean(text: string): boolean {
  if (/^(true|1|yes|on)$/i.test(text)) return true;
  if (/^(false|0|no|off)$/i.test(text)) return false;
  throw new RangeError('must be true or false');
}

export function parsePort(text: string): number {
  return parseNumber(text, { min: 1, max: MAX_PORT, whole: true });
}

export function parsePortRange(text: string): PortRange {
  const match = /^(\d+)-(\d+)$/.exec(text);
  const range = match && { first: Number(match[1]), last: Number(match[2]) };
  if (!range || range.first < 1 || range.last > MAX_PORT || range.first > range.last) {
    throw new RangeError('must be two ports from 1 to 65535, the lower one first, such as 19000-19999');
  }
  return range;
}

/** Parses ":8080", "0.0.0.0:8080" or "[::1]:8080", the format of Go's net.Listen. */
export function parseListenAddress(text: string): ListenAddress {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]*)):(\d+)$/.exec(text);
  const port = match ? Number(match[3]) : 0;
  if (!match || port < 1 || port > MAX_PORT) throw new RangeError('must be an address such as :8080 or 127.0.0.1:8080');
  return { host: match[1] ?? match[2], port };
}

export function parseUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  // A password in a URL would appear in logs.
  if (!url || !/^https?:$/.test(url.protocol) || url.search || url.hash || url.username || url.password) {
    throw new RangeError('must be a URL such as http://orchestrator:8000, without user and password');
  }
  return withoutSlashesAtEnd(url.href);
}

export function parseChoice(text: string, choices: readonly string[]): string {
  const chosen = choices.find((choice) => choice.toLowerCase() === text.toLowerCase());
  if (chosen === undefined) throw new RangeError(`must be one of ${choices.join(', ')}`);
  return chosen;
}
