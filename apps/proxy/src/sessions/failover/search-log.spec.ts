import { EngineUnreachableError } from '@acexy/engine-client';
import { createLog } from '@acexy/service-kit';
import { describe, expect, it } from 'vitest';
import { playing } from '../../../../../test/doubles/proxy/playing-stream.fixture.js';
import { settle } from '../../../../../test/doubles/fake-clock.js';

interface Line {
  level: string;
  msg: string;
  engine_id?: string;
}

function recordingLog(level: 'INFO' | 'DEBUG') {
  const lines: Line[] = [];
  const log = createLog({ service: 'proxy', level, destination: { write: (line) => void lines.push(JSON.parse(line) as Line) } });
  const warnings = () =>
    lines.filter((line) => line.level === 'WARN').map(({ msg, engine_id: id }) => (id === undefined ? msg : `${id}: ${msg}`));
  return { log, lines, warnings };
}

describe('while its engines are down', () => {
  it('a session logs one warning per change, and repetitions only at the debug level', async () => {
    const { log, lines, warnings } = recordingLog('DEBUG');
    const scene = await playing(2, log);
    for (const engine of scene.engines) engine.start = new EngineUnreachableError('start: ECONNREFUSED');
    scene.engines[0].mediaStreams[0].destroy(new Error('reset'));
    await settle();
    await scene.clock.advanceAndSettle(30_000);
    expect(warnings()).toEqual([
      'engine-1: source lost',
      'engine-2: failover attempt failed',
      'no engine for failover',
      'engine-1: failover attempt failed',
    ]);
    expect(lines.filter(({ level, msg }) => level === 'DEBUG' && msg === 'failover attempt failed').length).toBeGreaterThan(5);
    scene.engines[1].start = new EngineUnreachableError('start: no reply within 100 ms');
    await scene.clock.advanceAndSettle(8000);
    scene.engines[1].start = new EngineUnreachableError('start: no reply within 99 ms');
    await scene.clock.advanceAndSettle(8000);
    expect(warnings().slice(4)).toEqual(['engine-2: failover attempt failed']);
    await scene.registry.shutdown(1000);
  });
});
