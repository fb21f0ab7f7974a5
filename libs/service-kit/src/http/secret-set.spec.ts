import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { SecretSet } from './secret-set.js';

const SECRETS = ['first-secret-0001', 'second-secret-0002'];
const digestOf = (text: string): Buffer => createHash('sha256').update(text).digest();

describe('a set of secrets', () => {
  it('has each of its secrets and nothing else', () => {
    const secrets = new SecretSet(SECRETS);
    expect(SECRETS.map((secret) => secrets.has(secret))).toEqual([true, true]);
    for (const other of ['', 'first-secret-000', 'first-secret-00011', 'First-secret-0001', SECRETS.join('')]) {
      expect([other, secrets.has(other)]).toEqual([other, false]);
    }
    expect([secrets.isEmpty, new SecretSet([]).isEmpty, new SecretSet([]).has('')]).toEqual([false, true, false]);
  });

  it('compares every byte of the digests: a text that agrees in one of them is rejected', () => {
    const secrets = new SecretSet([SECRETS[0]]);
    const digest = digestOf(SECRETS[0]);
    const alike = new Map<number, string>();
    for (let count = 0; alike.size < digest.length; count += 1) {
      digestOf(`guess-${count}`).forEach((byte, index) => byte === digest[index] && alike.set(index, `guess-${count}`));
    }
    expect([...alike.values()].filter((guess) => secrets.has(guess))).toEqual([]);
  });
});
