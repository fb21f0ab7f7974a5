import fc from 'fast-check';
import { expect, it } from 'vitest';
import { EngineClaimBook } from './engine-claims.js';

const ENGINES = ['a', 'b'];

type Step = (book: EngineClaimBook, engineId: string, number: number) => void;

const STEPS: Record<string, Step> = {
  'adds a lease': (book, engineId, number) => book.addLease({ id: `lease ${number}`, engineId, keys: [`key ${number}`] }),
  'removes a lease': (book, engineId, number) => book.removeLease({ id: `lease ${number}`, engineId, keys: [] }),
  'assigns a stream': (book, engineId, number) =>
    book.assign({ streamId: `s ${number}`, engineId, keys: [`key ${number}`], leaseId: null }),
  'assigns a leased stream': (book, engineId, number) =>
    book.assign({ streamId: `s ${number}`, engineId, keys: [`key ${number}`], leaseId: `lease ${number}` }),
  'unassigns a stream': (book, _engineId, number) => book.unassign(`s ${number}`),
  cordons: (book, engineId, number) => book.cordon(engineId, `owner ${number}`, { kind: number === 0 ? 'brief' : 'open', reason: 'test' }),
  uncordons: (book, engineId, number) => book.uncordon(engineId, `owner ${number}`),
  forgets: (book, engineId) => book.forget(engineId),
};

it('the claims of every engine are those of a book that is asked only once, after any changes', () => {
  const step = fc.tuple(fc.constantFrom(...Object.keys(STEPS)), fc.constantFrom(...ENGINES), fc.nat({ max: 2 }));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30, size: 'max' }), (steps) => {
      const asked = new EngineClaimBook();
      const silent = new EngineClaimBook();
      for (const [what, engineId, number] of steps) {
        STEPS[what](asked, engineId, number);
        STEPS[what](silent, engineId, number);
        for (const each of ENGINES) expect(asked.isInUse(each)).toBe(asked.on(each).count > 0);
      }
      for (const each of ENGINES) expect(asked.on(each)).toEqual(silent.on(each));
    }),
  );
});
