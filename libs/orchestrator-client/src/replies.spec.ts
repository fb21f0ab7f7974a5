import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OrchestratorError } from './errors.js';
import { parseEngines, parseLeaseGranted, parseLeaseWaiting, parseProvisioned, parseReportAnswer } from './replies.js';
import { engine, granted } from '../../../test/doubles/orchestrator-client.fixture.js';

const names = fc.constantFrom(
  'lease_id',
  'engine',
  'expires_at',
  'considered',
  'boot_id',
  'ack_seq',
  'engines_wanted',
  'leave',
  'container_id',
  'host',
  'port',
  'streams',
  'labels',
);

describe('the replies of an orchestrator', () => {
  it('are parsed or cause a typed error, whatever they contain', () => {
    const bodies = fc.oneof(fc.jsonValue(), fc.dictionary(names, fc.jsonValue()), fc.array(fc.dictionary(names, fc.jsonValue())));
    fc.assert(
      fc.property(bodies, (body) => {
        for (const read of [parseEngines, parseLeaseGranted, parseLeaseWaiting, parseProvisioned, parseReportAnswer]) {
          try {
            read(body);
          } catch (error) {
            expect(error).toBeInstanceOf(OrchestratorError);
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  it('are returned completely when they are valid', () => {
    expect(parseEngines([engine('a')])).toEqual([engine('a')]);
    expect(parseLeaseGranted(granted)).toEqual(granted);
  });
});
