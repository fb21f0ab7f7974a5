import { describe, expect, it } from 'vitest';
import { ListenerSet } from './listener-set.js';

describe('ListenerSet', () => {
  it('calls every listener in the order of subscription', () => {
    const calls: string[] = [];
    const set = new ListenerSet<string>();
    set.subscribe((event) => calls.push(`first ${event}`));
    set.subscribe((event) => calls.push(`second ${event}`));
    set.emit('change');
    expect(calls).toEqual(['first change', 'second change']);
  });

  it('does not call a listener that has unsubscribed', () => {
    let calls = 0;
    const set = new ListenerSet();
    const unsubscribe = set.subscribe(() => calls++);
    set.emit();
    unsubscribe();
    set.emit();
    expect(calls).toBe(1);
  });

  it('calls the other listeners when one throws, and then throws its error', () => {
    let calls = 0;
    const set = new ListenerSet();
    set.subscribe(() => {
      throw new Error('first');
    });
    set.subscribe(() => {
      throw new Error('second');
    });
    set.subscribe(() => calls++);
    expect(() => set.emit()).toThrow('first');
    expect(calls).toBe(1);
  });

  it('gives the error of each listener to the error handler when there is one', () => {
    const errors: unknown[] = [];
    const set = new ListenerSet((error) => errors.push(error));
    set.subscribe(() => {
      throw new Error('first');
    });
    set.subscribe(() => {
      throw new Error('second');
    });
    set.emit();
    expect(errors).toEqual([new Error('first'), new Error('second')]);
  });
});
