import { describe, expect, it } from 'vitest';
import { IllegalTransitionError, isOpen, transition } from './session-state.js';

describe('the states of a session', () => {
  it('go from start to end, and back from lingering to playing', () => {
    expect(transition('starting', 'playing')).toBe('playing');
    expect(transition('playing', 'lingering')).toBe('lingering');
    expect(transition('lingering', 'playing')).toBe('playing');
    expect(transition('lingering', 'stopping')).toBe('stopping');
    expect(transition('stopping', 'ended')).toBe('ended');
  });

  it('go through a failover back to playing or lingering, or to the end', () => {
    for (const before of ['playing', 'lingering'] as const) expect(transition(before, 'failing_over')).toBe('failing_over');
    for (const after of ['playing', 'lingering', 'stopping'] as const) expect(transition('failing_over', after)).toBe(after);
    expect(() => transition('starting', 'failing_over')).toThrow(IllegalTransitionError);
  });

  it('never leave the end, and never skip the stop', () => {
    expect(() => transition('ended', 'starting')).toThrow(IllegalTransitionError);
    expect(() => transition('playing', 'ended')).toThrow(IllegalTransitionError);
    expect(() => transition('stopping', 'playing')).toThrow(IllegalTransitionError);
  });

  it('accept viewers until the stop', () => {
    expect((['starting', 'playing', 'lingering', 'failing_over', 'stopping', 'ended'] as const).map(isOpen)).toEqual([
      true,
      true,
      true,
      true,
      false,
      false,
    ]);
  });
});
