import { expect, it } from 'vitest';
import { CodedError } from './coded-error.js';

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
