/** The tokens by which viewers are let in. */
import { createHash, timingSafeEqual } from 'node:crypto';

/** Characters that stand in any URL as they are, so that a token is the same in a header, a path and a query. */
const TOKEN = /^[A-Za-z0-9._~-]{16,256}$/;

/** The tokens of a setting. @throws RangeError that says what would be right, and none of them */
export function parseTokens(text: string): string[] {
  const tokens = text.split(/[\s,]+/).filter((token) => token !== '');
  if (!tokens.every((token) => TOKEN.test(token)))
    throw new RangeError('must be tokens of 16 to 256 letters, digits and "-._~", with commas between them');
  return tokens;
}

export class ViewerTokens {
  private readonly digests: readonly Buffer[];

  constructor(tokens: readonly string[]) {
    this.digests = tokens.map(digestOf);
  }

  /** Without any token everybody is let in. */
  get required(): boolean {
    return this.digests.length > 0;
  }

  /** In constant time: digests have one length, and each of them is looked at. */
  accept(given: string | null): boolean {
    if (given === null) return false;
    const digest = digestOf(given);
    return this.digests.map((one) => timingSafeEqual(one, digest)).includes(true);
  }
}

function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
