/**
 * Faults by content id or infohash. After "fa17", two hexadecimal digits name the fault and the next two are its parameter; the rest is free.
 * fa170504… stalls after 4 s. The README has the same table.
 */
import type { SimulatorSettings } from './simulator-settings.js';

const FAULT_PREFIX = 'fa17';

const BY_CODE: Record<string, (parameter: number) => Partial<SimulatorSettings>> = {
  '01': () => ({ refuseContent: 'failed to load content' }),
  '02': () => ({ prebufMode: 'hold-forever', peers: 0 }),
  '03': () => ({ prebufMode: 'http500-forever', peers: 0 }),
  '04': (parameter) => ({ prebufMs: parameter * 500 }),
  '05': (parameter) => ({ stallAfterMs: parameter * 1000 }),
  '06': (parameter) => ({ eofAfterMs: parameter * 1000 }),
  '07': (parameter) => ({ resetAfterMs: parameter * 1000 }),
  '08': (parameter) => ({ rateFactor: parameter / 100 }),
  '09': (parameter) => ({ bitrate: parameter * 100_000 }),
  '0a': (parameter) => ({ jsonDelayMs: parameter * 100 }),
  '0b': (parameter) => ({ loopAfterMs: parameter * 1000 }),
  '0c': (parameter) => ({ dropPpm: parameter * 100 }),
  '0d': (parameter) => ({ garbagePpm: parameter * 100 }),
  '0e': () => ({ missingPat: true }),
  '0f': (parameter) => ({ audioLostAfterMs: parameter * 1000 }),
  '10': (parameter) => ({ ptsJumpAfterMs: parameter * 1000 }),
  '11': () => ({ encrypted: true }),
  '12': () => ({ live: false }),
  '13': (parameter) => ({ hlsFrozenAfterMs: parameter * 1000 }),
  '14': () => ({ headersThenSilence: true }),
  '15': (parameter) => ({ prebufMode: 'http500-then-ok', prebufMs: parameter * 500 }),
  '16': (parameter) => ({ loseSessionAfterMs: parameter * 1000 }),
  '20': (parameter) => ({ picture: 'scale', bitrate: parameter * 100_000 }),
};

/** The settings that a content id or infohash stands for; none without the prefix. */
export function faultsOfId(hex: string): Partial<SimulatorSettings> {
  if (!hex.startsWith(FAULT_PREFIX)) return {};
  return BY_CODE[hex.slice(4, 6)]?.(Number.parseInt(hex.slice(6, 8), 16)) ?? {};
}
