import { SettingsError, loadSettings } from '@acexy/service-kit';
import { describe, expect, it } from 'vitest';
import { WorkerSettings, workerCount } from './worker-settings.js';

const count = (workers: string | undefined, cores = 4, gibibytes = 64) =>
  workerCount(
    loadSettings(WorkerSettings, { ACEXY_WORKERS: workers }),
    () => cores,
    () => gibibytes * 2 ** 30,
  );

describe('the number of workers', () => {
  it('is one by default: a single process', () => {
    expect(count(undefined)).toBe(1);
  });

  it('is the given number, or with auto the number of available cores, at most 64', () => {
    expect([count('3'), count('auto'), count('auto', 1), count('auto', 128)]).toEqual([3, 4, 1, 64]);
  });

  it('is with auto at most what the memory of the container carries', () => {
    expect([count('auto', 16, 2), count('auto', 16, 0.4), count('6', 16, 2)]).toEqual([4, 1, 6]);
  });

  it.each(['0', '65', '-1', '1.5', 'all', '2 workers'])('cannot be "%s": the error says what is valid', (text) => {
    expect(() => count(text)).toThrow(SettingsError);
    expect(() => count(text)).toThrow(`ACEXY_WORKERS=${text}: must be auto or a whole number from 1 to 64`);
  });
});
