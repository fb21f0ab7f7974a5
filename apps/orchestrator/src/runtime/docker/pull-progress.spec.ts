import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { PullProgress } from './pull-progress.js';

const CORPUS = readFileSync(new URL('./fixtures/docker-pull.jsonl', import.meta.url), 'utf8')
  .trimEnd()
  .split('\n');

function after(...lines: string[]): PullProgress {
  const progress = new PullProgress();
  for (const line of lines) progress.take(line);
  return progress;
}

describe('the progress of an image pull', () => {
  it.each([
    ['{"errorDetail":{"message":"unauthorized: authentication required"}}', 'unauthorized: authentication required'],
    ['{"errorDetail":{"code":1},"error":"no space left on device"}', 'no space left on device'],
    ['{"errorDetail":{"code":429}}', 'Docker reports {"code":429}'],
    ['{"errorDetail":"too many requests"}', 'too many requests'],
    ['{"error":{"message":"manifest unknown"}}', 'manifest unknown'],
    ['{"error":null}', null],
    ['null', null],
  ])('%s fails with %s', (line, failure) => {
    expect(after(line).failure).toBe(failure);
  });

  it('counts a layer without sizes when it is complete, and every layer the same', () => {
    const layers = ['{"status":"Pulling fs layer","id":"a"}', '{"status":"Pulling fs layer","id":"b"}'];
    expect(after(...layers, '{"status":"Downloading","id":"a","progressDetail":{"current":9}}').percent).toBe(0);
    expect(after(...layers, '{"status":"Downloading","id":"a","progressDetail":{"current":1,"total":2}}').percent).toBe(25);
    expect(after(...layers, '{"status":"Extracting","id":"a","progressDetail":{"current":3,"units":"s"}}').percent).toBe(50);
  });

  it('is a whole number from 0 to 100 that never decreases, whatever Docker sends', () => {
    const detail = fc.oneof(fc.record({ current: fc.anything(), total: fc.anything() }, { requiredKeys: [] }), fc.anything());
    const status = fc.oneof(fc.constantFrom('Pulling fs layer', 'Downloading', 'Extracting'), fc.anything());
    const report = fc.record({
      status,
      id: fc.oneof(fc.constantFrom('a', 'b'), fc.anything()),
      progressDetail: detail,
      errorDetail: detail,
    });
    const line = fc.oneof(
      fc.string(),
      report.map((value) => JSON.stringify(value)),
    );
    fc.assert(
      fc.property(fc.array(line), (lines) => {
        const progress = new PullProgress();
        for (const text of lines) {
          const before = progress.percent;
          progress.take(text);
          expect(progress.percent).toBeGreaterThanOrEqual(before);
          expect(progress.percent).toBeLessThanOrEqual(100);
          expect(Number.isInteger(progress.percent)).toBe(true);
        }
      }),
      { examples: [[CORPUS]] },
    );
  });
});
