import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createLog } from '../logging/log.js';
import { logSettingRemarks, unknownSettings } from './setting-remarks.js';

const KNOWN = ['MIN_REPLICAS', 'MAX_REPLICAS', 'DB_URL', 'AUTH', 'ACEXY_BUFFER', 'ACEXY_BUFFER_MAX', 'ACEXY_BUFFER_SECONDS'];

describe('unknown settings', () => {
  it.each([
    ['MIN_REPLICA', 'MIN_REPLICAS'],
    ['MIN_REPLCIAS', 'MIN_REPLICAS'],
    ['min_replicas', 'MIN_REPLICAS'],
    ['MAX_REPLICASS', 'MAX_REPLICAS'],
    ['DB_URI', 'DB_URL'],
    ['AXECY_BUFFER_MAX', 'ACEXY_BUFFER_MAX'],
    ['ACEXY_BUFER_MAX', 'ACEXY_BUFFER_MAX'],
    ['ACEXY_BUFER', 'ACEXY_BUFFER'],
    ['ACEXY_SOMETHING_ELSE', null],
  ])('%s is reported, and %s is what was probably meant', (name, nearest) => {
    expect(unknownSettings([name], KNOWN, 'ACEXY_')).toEqual([{ kind: 'unknown', name, nearest }]);
  });

  it.each(['PATH', 'HOME', 'HOSTNAME', 'NODE_VERSION', 'AUTHOR', 'SIM_BOOT_MS', 'OTHER_ACEXY_X', 'MIN_REPLICAS', 'ACEXY_'.repeat(20)])(
    '%s is foreign or known and is not reported',
    (name) => {
      expect(unknownSettings([name], KNOWN, 'ACEXY_')).toEqual([]);
    },
  );

  it('one wrong letter in any name is found, and known names are never reported', () => {
    const names = fc.constantFrom(...KNOWN.filter((name) => name.length > 5));
    fc.assert(
      fc.property(names, fc.nat(), fc.constantFrom('A', 'X', '_', ''), (name, at, letter) => {
        const index = at % name.length;
        const wrong = name.slice(0, index) + letter + name.slice(index + 1);
        const remarks = unknownSettings([wrong], KNOWN);
        expect(remarks).toEqual(KNOWN.includes(wrong) ? [] : [{ kind: 'unknown', name: wrong, nearest: expect.any(String) as string }]);
      }),
    );
  });

  it('are warnings in the log, with what was probably meant', () => {
    const lines: Record<string, unknown>[] = [];
    const log = createLog({ service: 'x', level: 'INFO', destination: { write: (line) => void lines.push(JSON.parse(line) as never) } });
    logSettingRemarks(
      [
        { kind: 'unknown', name: 'MIN_REPLICA', nearest: 'MIN_REPLICAS' },
        { kind: 'default changed', name: 'MIN_REPLICAS', value: '1', reason: 'MIN_REPLICAS must not be more than MAX_REPLICAS (1)' },
      ],
      log,
    );
    expect(lines).toMatchObject([
      { level: 'WARN', msg: 'unknown setting', name: 'MIN_REPLICA', did_you_mean: 'MIN_REPLICAS' },
      { level: 'WARN', msg: 'default of a setting changed', name: 'MIN_REPLICAS', value: '1' },
    ]);
  });
});
