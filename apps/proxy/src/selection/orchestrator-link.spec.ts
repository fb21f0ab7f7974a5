import { CallNotSupportedError, OrchestratorUnreachableError, UnauthorizedError } from '@acexy/orchestrator-client';
import { SILENT_LOG } from '@acexy/service-kit';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../../test/doubles/fake-clock.js';
import { OrchestratorLink } from './orchestrator-link.js';

describe('the state of the orchestrator', () => {
  it('is unauthorized after a rejected key, until a call that needs the key succeeds', () => {
    const link = new OrchestratorLink(new FakeClock(), SILENT_LOG);
    expect(link.state).toBe('reachable');
    link.failed('report', new UnauthorizedError('report', 401));
    expect(link.state).toBe('unauthorized');
    link.succeeded('engines');
    expect(link.state).toBe('unauthorized');
    link.succeeded('report');
    expect(link.state).toBe('reachable');
  });

  it('is away while it is unreachable, whatever was known about the key', () => {
    const link = new OrchestratorLink(new FakeClock(), SILENT_LOG);
    link.failed('lease', new UnauthorizedError('lease', 403));
    link.failed('lease', new OrchestratorUnreachableError('ECONNREFUSED'));
    expect(link.state).toBe('away');
    link.succeeded('engines');
    expect(link.state).toBe('unauthorized');
  });

  it('is unauthorized, too, when a foreign orchestrator rejects the key', () => {
    const link = new OrchestratorLink(new FakeClock(), SILENT_LOG);
    link.failed('lease', new CallNotSupportedError('lease', 404));
    link.failed('provision', new UnauthorizedError('provision', 403));
    expect([link.kind, link.state]).toEqual(['foreign', 'unauthorized']);
  });
});
