import { describe, expect, it } from 'vitest';
import { createLog, NestLog } from './log.js';
import type { LogFormat } from './log-settings.js';

function lines(format: LogFormat): { log: ReturnType<typeof createLog>; written: string[] } {
  const written: string[] = [];
  return { log: createLog({ service: 'proxy', level: 'INFO', format, destination: { write: (line) => written.push(line) } }), written };
}

describe('the log', () => {
  it('has one JSON line per event, with the upper-case level, the part and the ids', () => {
    const { log, written } = lines('json');
    log.child('sessions').error('engine lost', { stream_id: 's1', error: new Error('reset') });
    expect(written).toHaveLength(1);
    expect(JSON.parse(written[0])).toMatchObject({
      level: 'ERROR',
      service: 'proxy',
      part: 'sessions',
      msg: 'engine lost',
      stream_id: 's1',
      error: { message: 'reset' },
    });
  });

  it('has one readable line per event as text', () => {
    const { log, written } = lines('text');
    log.child('sessions').info('playing', { stream_id: 's1', ms: 12 });
    expect(written[0]).toMatch(/^\d\d:\d\d:\d\d\.\d{3} INFO {2}proxy\/sessions: playing stream_id=s1 ms=12\n$/);
    log.warn('report failed', { error: 'connection refused' });
    expect(written[1]).toMatch(/ WARN {2}proxy: report failed error=connection refused\n$/);
  });

  it('has the text of an expected failure in error.message, like an unexpected one', () => {
    const { log, written } = lines('json');
    log.warn('report failed', { error: 'connection refused' });
    expect(JSON.parse(written[0])).toMatchObject({ error: { message: 'connection refused' } });
  });

  it('discards lines below its level and hides secret fields', () => {
    const { log, written } = lines('json');
    log.debug('noise');
    log.info('call', { api_key: 's3cret', headers: { authorization: 'Bearer s3cret' } });
    expect(written).toHaveLength(1);
    expect(written[0]).not.toContain('s3cret');
  });

  it('hides the given secrets, wherever they appear', () => {
    const written: string[] = [];
    for (const format of ['json', 'text'] as const) {
      const log = createLog({
        service: 'x',
        level: 'DEBUG',
        format,
        secrets: ['s3cret"key', undefined],
        destination: { write: (line) => written.push(line) },
      });
      log.warn('refused s3cret"key', { nested: { deep: ['Bearer s3cret"key'] } });
      // Like an axios error, which contains the request with its headers.
      log.error('call failed', {
        error: Object.assign(new Error('401'), { code: 'ERR_BAD_REQUEST', config: { headers: { Authorization: 'Bearer other-key' } } }),
      });
    }
    const all = written.join('');
    expect(all).not.toContain('s3cret');
    expect(all).not.toContain('other-key');
    expect(JSON.parse(written[1])).toMatchObject({ level: 'ERROR', error: { message: '401', code: 'ERR_BAD_REQUEST' } });
  });

  it("logs Nest's errors with their stack, and its routine messages as debug", () => {
    const { log, written } = lines('json');
    const nest = new NestLog(log);
    nest.log('Nest application successfully started', 'NestApplication');
    nest.error(new Error('broken'), 'Injector');
    expect(written.map((line) => JSON.parse(line) as { nest: string })).toMatchObject([
      { msg: 'broken', nest: 'Injector', level: 'ERROR' },
    ]);
  });
});
