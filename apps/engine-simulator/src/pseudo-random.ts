/** A number from 0 to 1 that depends on `n` alone, so that all engines and runs behave alike. */
export function pseudoRandom(n: number): number {
  let hash = (n ^ Math.floor(n / 2 ** 32)) >>> 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x45d9f3b);
  hash = Math.imul(hash ^ (hash >>> 16), 0x45d9f3b);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}
