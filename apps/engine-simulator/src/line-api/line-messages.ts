/** The words of the line API (API port): what clients send and what the engine says about a playback. */
import type { Statistics } from '../sessions/stat.js';

export interface LineCommand {
  /** In capitals. */
  name: string;
  words: string[];
  /** `key=value` words. */
  options: Map<string, string>;
}

export function parseCommand(line: string): LineCommand {
  const [name = '', ...words] = line.trim().split(/\s+/);
  const options = new Map<string, string>();
  for (const word of words) {
    const at = word.indexOf('=');
    if (at > 0) options.set(word.slice(0, at), word.slice(at + 1));
  }
  return { name: name.toUpperCase(), words, options };
}

/** The numbers of `STATE n`. */
export const State = { idle: 0, prebuffering: 1, downloading: 2, buffering: 3 } as const;

/** `STATUS main:…`: progress and time come first while it (pre)buffers, then the ten numbers that every state has. */
export function statusLine(statistics: Statistics): string {
  const { status, progress, speedDown, speedUp, peers, downloaded, uploaded } = statistics;
  const common = [0, 0, speedDown, 0, speedUp, peers, 0, downloaded, 0, uploaded];
  switch (status) {
    case 'dl':
      return `STATUS main:dl;${common.join(';')}`;
    case 'prebuf':
    case 'buf':
      return `STATUS main:${status};${[progress, 0, ...common].join(';')}`;
    default:
      return status satisfies never;
  }
}

export function stateOf(status: Statistics['status']): number {
  switch (status) {
    case 'prebuf':
      return State.prebuffering;
    case 'dl':
      return State.downloading;
    case 'buf':
      return State.buffering;
    default:
      return status satisfies never;
  }
}

export function eventLine(name: string, fields: Record<string, string>): string {
  return `EVENT ${name} ${Object.entries(fields)
    .map(([key, value]) => `${key}=${value}`)
    .join(' ')}`;
}

/** As `START url=…` carries an address: percent-encoded except for `/`. */
export function encodedUrl(url: string): string {
  return encodeURIComponent(url).replaceAll('%2F', '/');
}
