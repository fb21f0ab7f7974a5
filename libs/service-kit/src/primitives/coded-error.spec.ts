import { expect, it } from 'vitest';
import { asError, CodedError, messageOf } from './coded-error.js';

class TooSmallError extends CodedError {
  readonly code = 'too_small';
}

it('a coded error has the name of its class, its code and its cause', () => {
  const cause = new Error('0');
  expect(new TooSmallError('too small', { cause })).toMatchObject({
    name: 'TooSmallError',
    code: 'too_small',
    message: 'too small',
    cause,
  });
});

it('whatever is thrown has a message and is an Error', () => {
  const error = new TooSmallError('too small');
  expect([messageOf(error), messageOf('text'), messageOf(undefined)]).toEqual(['too small', 'text', 'undefined']);
  expect(asError(error)).toBe(error);
  expect(asError('text')).toEqual(new Error('text'));
});
