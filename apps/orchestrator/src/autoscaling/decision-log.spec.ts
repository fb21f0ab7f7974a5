import { describe, expect, it } from 'vitest';
import { type Decision, DecisionLog } from './decision-log.js';

const DECISION = { inputs: { total: 1 }, target: 3, started: 0, reasons: [] } as unknown as Decision;
const at = (seconds: number): Date => new Date(seconds * 1000);

describe('the decision log', () => {
  it('returns decisions with their times, newest first', () => {
    const log = new DecisionLog();
    log.add(DECISION, at(0));
    log.add({ ...DECISION, target: 4 }, at(1));
    expect(log.latest(10).map(({ target, decided_at }) => [target, decided_at])).toEqual([
      [4, '1970-01-01T00:00:01.000Z'],
      [3, '1970-01-01T00:00:00.000Z'],
    ]);
    expect(log.latest(1)).toHaveLength(1);
  });

  it('a round with the same inputs and decision confirms the last record', () => {
    const log = new DecisionLog();
    expect([log.add(DECISION, at(0)), log.add({ ...DECISION }, at(30)), log.add({ ...DECISION, target: 4 }, at(60))]).toEqual([
      true,
      false,
      true,
    ]);
    expect(log.latest(2)[1]).toMatchObject({ rounds: 2, decided_at: at(0).toISOString(), confirmed_at: at(30).toISOString() });
  });

  it('keeps the latest 300', () => {
    const log = new DecisionLog();
    for (let target = 0; target < 1000; target++) log.add({ ...DECISION, target }, at(target));
    const kept = log.latest(1000);
    expect([kept.length, kept[0].target, kept.at(-1)?.target]).toEqual([300, 999, 700]);
  });
});
