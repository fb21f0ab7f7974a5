import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { SettingsError, loadAllSettings, loadSettings, readEnvironment } from './load-settings.js';
import type { ListenAddress, PortRange } from './parse.js';
import { Setting } from './setting.js';

class Sample {
  @Setting({ name: 'PORT', type: 'port', default: '8000', help: 'a port' })
  port!: number;

  @Setting({ name: 'INTERVAL_S', aliases: ['OLD_INTERVAL_S'], type: 'seconds', default: '0.5', help: 'pace' })
  intervalMs!: number;

  @Setting({ name: 'WAIT', type: 'duration', default: '1m30s', help: 'wait' })
  waitMs!: number;

  @Setting({ name: 'BUFFER', type: 'size', default: '4.2MiB', help: 'buffer' })
  bufferBytes!: number;

  @Setting({ name: 'RANGE', type: 'port-range', default: '19000-19999', help: 'ports' })
  range!: PortRange;

  @Setting({ name: 'LISTEN', type: 'address', default: ':8080', help: 'listen' })
  listen!: ListenAddress;

  @Setting({ name: 'KEY', type: 'string', secret: true, help: 'key' })
  key?: string;

  @Setting({ name: 'LEVEL', type: 'choice', choices: ['DEBUG', 'INFO'], default: 'INFO', help: 'level' })
  level!: string;
}

describe('settings', () => {
  it('have their defaults', () => {
    expect({ ...loadSettings(Sample, {}) }).toEqual({
      port: 8000,
      intervalMs: 500,
      waitMs: 90_000,
      bufferBytes: 4_404_019,
      range: { first: 19_000, last: 19_999 },
      listen: { host: '', port: 8080 },
      level: 'INFO',
    });
  });

  it('an empty value counts as unset, and an alias applies when the name itself is not set', () => {
    expect(loadSettings(Sample, { PORT: ' ', OLD_INTERVAL_S: '2' })).toMatchObject({ port: 8000, intervalMs: 2000 });
    expect(loadSettings(Sample, { INTERVAL_S: '1', OLD_INTERVAL_S: '2' }).intervalMs).toBe(1000);
  });

  it('reports all faults at once, with the name that was used, the value and what is valid', () => {
    const faults = faultsOf({
      PORT: '70000',
      OLD_INTERVAL_S: 'fast',
      WAIT: '3',
      BUFFER: '4 stones',
      RANGE: '9-1',
      LISTEN: '8080',
      LEVEL: 'loud',
    });
    expect(faults.map((fault) => `${fault.name}=${fault.value}: ${fault.problem}`)).toEqual([
      'PORT=70000: must be a whole number from 1 to 65535',
      'OLD_INTERVAL_S=fast: must be a number of at least 0',
      'WAIT=3: must be a duration such as 500ms, 3s or 1m30s',
      'BUFFER=4 stones: must be a size such as 4.2MiB, 512KB or a number of bytes',
      'RANGE=9-1: must be two ports from 1 to 65535, the lower one first, such as 19000-19999',
      'LISTEN=8080: must be an address such as :8080 or 127.0.0.1:8080',
      'LEVEL=loud: must be one of DEBUG, INFO',
    ]);
  });

  it('reports faults between settings together with invalid values, except when one of these settings is invalid itself', () => {
    class Related {
      @Setting({ name: 'LEAST', type: 'integer', default: '1', help: '' })
      least!: number;

      @Setting({ name: 'MOST', type: 'integer', default: '5', help: '' })
      most!: number;

      @Setting({ name: 'NAMES', type: 'string', default: 'a=b', help: '' })
      names!: string;

      faults() {
        return [
          ...(this.least > this.most
            ? [{ name: 'LEAST', value: String(this.least), problem: `must not be more than MOST (${this.most})` }]
            : []),
          ...(this.names.includes('=') ? [] : [{ name: 'NAMES', value: this.names, problem: 'must be pairs' }]),
        ];
      }
    }
    const namesOf = (environment: Record<string, string>) => {
      try {
        loadSettings(Related, environment);
      } catch (error) {
        if (error instanceof SettingsError) return error.faults.map(({ name }) => name);
        throw error;
      }
      return [];
    };
    expect(namesOf({ MOST: 'x', LEAST: '9', NAMES: 'a' })).toEqual(['MOST', 'NAMES']);
    expect(namesOf({ LEAST: '9' })).toEqual(['LEAST']);
  });

  it('accepts either case of a choice', () => {
    expect(loadSettings(Sample, { LEVEL: 'debug' }).level).toBe('DEBUG');
  });

  it('reads a secret from the file that NAME_FILE names, and reports a file that it cannot read', () => {
    const file = join(mkdtempSync(join(tmpdir(), 'settings-')), 'key');
    expect(faultsOf({ KEY_FILE: file })).toMatchObject([{ name: 'KEY_FILE', problem: 'must name a readable file (ENOENT)' }]);
    writeFileSync(file, 's3cret\n');
    expect(loadSettings(Sample, { KEY_FILE: file }).key).toBe('s3cret');
  });

  it('the environment has priority over the .env file', () => {
    const folder = mkdtempSync(join(tmpdir(), 'settings-'));
    writeFileSync(join(folder, '.env'), 'PORT=1234 # comment\nLEVEL=DEBUG\n');
    expect(readEnvironment(folder, { LEVEL: 'INFO', PORT: '' })).toEqual({ PORT: '1234', LEVEL: 'INFO' });
  });

  it('an empty value counts as unset in the .env file, too, so that callers can add their own defaults', () => {
    const folder = mkdtempSync(join(tmpdir(), 'settings-'));
    writeFileSync(join(folder, '.env'), 'PORT=\nKEY=" "\nLEVEL=DEBUG\n');
    expect(readEnvironment(folder, { HOST: ' ' })).toEqual({ LEVEL: 'DEBUG' });
  });
});

describe('the settings groups of a service', () => {
  class Pool {
    @Setting({ name: 'MAX', type: 'integer', default: '20', help: 'most' })
    max!: number;

    @Setting({ name: 'PAUSE', type: 'duration', default: '1s', min: '1ms', max: '24h', help: 'pause' })
    pauseMs!: number;

    @Setting({ name: 'CHUNK', type: 'size', default: '256KiB', min: '4KiB', help: 'chunk' })
    chunkBytes!: number;
  }
  class Health {
    @Setting({ name: 'SPARE', type: 'integer', default: '3', help: 'spare' })
    spare!: number;

    @Setting({
      name: 'LABEL',
      type: 'string',
      help: 'label',
      check: (text) => {
        if (!text.includes('=')) throw new RangeError('must be key=value');
      },
    })
    label?: string;
  }
  const load = (environment: Record<string, string>) =>
    loadAllSettings(
      {
        groups: [Pool, Health],
        faultsBetween: (settings) => {
          const { max } = settings.of(Pool);
          const { spare } = settings.of(Health);
          return spare > max ? [{ name: 'SPARE', value: String(spare), problem: `must not be more than MAX (${max})` }] : [];
        },
      },
      environment,
    );
  const messageOf = (environment: Record<string, string>): string => {
    try {
      load(environment);
      return '';
    } catch (error) {
      return (error as Error).message;
    }
  };

  it('are loaded together and found by their class', () => {
    const settings = load({ MAX: '5', LABEL: 'a=b' });
    expect(settings.of(Pool)).toMatchObject({ max: 5, pauseMs: 1000, chunkBytes: 262_144 });
    expect(settings.of(Health)).toMatchObject({ spare: 3, label: 'a=b' });
    expect(settings.providers.map(({ provide }) => provide)).toEqual([Pool, Health]);
  });

  it('report the faults of all groups at once, bounds and checks of modules included', () => {
    expect(messageOf({ MAX: 'x', PAUSE: '0', CHUNK: '1KiB', LABEL: 'a' })).toBe(
      [
        'invalid settings:',
        '  MAX=x: must be a whole number',
        '  PAUSE=0: must be at least 1ms',
        '  CHUNK=1KiB: must be at least 4KiB',
        '  LABEL=a: must be key=value',
      ].join('\n'),
    );
    expect(messageOf({ PAUSE: '25h' })).toContain('PAUSE=25h: must be at most 24h');
  });

  it('report faults between groups, unless one of these settings is invalid itself', () => {
    expect(messageOf({ SPARE: '30' })).toContain('SPARE=30: must not be more than MAX (20)');
    expect(messageOf({ SPARE: '30', MAX: 'x' })).not.toContain('SPARE');
  });

  it('cannot be used when the definition does not list them', () => {
    expect(() => loadAllSettings({ groups: [Pool] }, {}).of(Health)).toThrow('Health is missing in the settings definition');
  });
});

describe('a file that ENV_FILE names', () => {
  it('has lower priority than .env and the environment, and does not appear among the settings', () => {
    const folder = mkdtempSync(join(tmpdir(), 'settings-'));
    writeFileSync(join(folder, 'light.env'), 'ENV_FILE=light.env\nPORT=1\nLEVEL=DEBUG\nHOST=below\n');
    writeFileSync(join(folder, '.env'), 'LEVEL=INFO\nENV_FILE=light.env\n');
    expect(readEnvironment(folder, { HOST: 'above', PORT: '' })).toEqual({ PORT: '1', LEVEL: 'INFO', HOST: 'above' });
  });

  it('is a fault when it does not exist', () => {
    const folder = mkdtempSync(join(tmpdir(), 'settings-'));
    expect(() => readEnvironment(folder, { ENV_FILE: 'none.env' })).toThrow(/ENV_FILE=none\.env: must name a readable file.*ENOENT/);
  });
});

function faultsOf(environment: Record<string, string>): SettingsError['faults'] {
  try {
    loadSettings(Sample, environment);
  } catch (error) {
    if (error instanceof SettingsError) return error.faults;
    throw error;
  }
  throw new Error('the settings were accepted');
}
