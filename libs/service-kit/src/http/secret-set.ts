import { hash, timingSafeEqual } from 'node:crypto';

/** The API keys or tokens that are accepted. Compares in constant time. */
export class SecretSet {
  private readonly digests: readonly Buffer[];

  constructor(secrets: readonly string[]) {
    this.digests = secrets.map(digestOf);
  }

  get isEmpty(): boolean {
    return this.digests.length === 0;
  }

  has(given: string): boolean {
    // Digests have equal lengths, so the comparison reveals nothing about the length of a secret. All of them are compared, also after a match.
    const digest = digestOf(given);
    return this.digests.map((one) => timingSafeEqual(one, digest)).includes(true);
  }
}

function digestOf(text: string): Buffer {
  return hash('sha256', text, 'buffer');
}
