import { describe, expect, it } from 'vitest';
import { type Decided, DecisionLog } from './decision-log.js';

const DECIDED = { inputs: { total: 1 }, target: 3, started: 0, reasons: [] } as unknown as Decided;
const at = (seconds: number): Date => new Date(seconds * 1000);

describe('the log of decisions', () => {
  it('keeps what was decided with when, newest first', () => {
    const log = new DecisionLog();
    log.add(DECIDED, at(0));
    log.add({ ...DECIDED, target: 4 }, at(1));
    expect(log.latest(10).map(({ target, decided_at }) => [target, decided_at])).toEqual([
      [4, '1970-01-01T00:00:01.000Z'],
      [3, '1970-01-01T00:00:00.000Z'],
    ]);
    expect(log.latest(1)).toHaveLength(1);
  });

  it('a round that saw and decided the same confirms the decision', () => {
    const log = new DecisionLog();
    expect([log.add(DECIDED, at(0)), log.add({ ...DECIDED }, at(30)), log.add({ ...DECIDED, target: 4 }, at(60))]).toEqual([
      true,
      false,
      true,
    ]);
    expect(log.latest(2)[1]).toMatchObject({ rounds: 2, decided_at: at(0).toISOString(), confirmed_at: at(30).toISOString() });
  });

  it('keeps only the last few hundred', () => {
    const log = new DecisionLog();
    for (let target = 0; target < 1000; target++) log.add({ ...DECIDED, target }, at(target));
    const kept = log.latest(1000);
    expect([kept.length, kept[0].target, kept.at(-1)?.target]).toEqual([300, 999, 700]);
  });
});
