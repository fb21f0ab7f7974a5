import type { KeyType } from '@acexy/contracts';

export interface Content {
  keyType: KeyType;
  key: string;
  /** Where the client knows it. */
  infohash?: string | null;
}

/** How many infohashes of contents are remembered; the least recently learned go first. */
const REMEMBERED = 10_000;

/**
 * What names a content: its key and, where anybody ever told us, its infohash. Two requests are about the same content when they share
 * a name. An engine stops all sessions of a content at once, so this decides what may share an engine.
 */
export class ContentKeys {
  private readonly infohashes = new Map<string, string>();

  /** The names of a content, and remembers what they tell about each other. */
  of({ keyType, key, infohash }: Content): string[] {
    const own = name(keyType, key);
    if (keyType === 'infohash') return [own];
    if (infohash) this.remember(own, name('infohash', infohash));
    const known = this.infohashes.get(own);
    return known === undefined ? [own] : [own, known];
  }

  private remember(own: string, infohash: string): void {
    this.infohashes.delete(own);
    this.infohashes.set(own, infohash);
    if (this.infohashes.size > REMEMBERED) this.infohashes.delete(this.infohashes.keys().next().value as string);
  }
}

function name(keyType: KeyType, key: string): string {
  // Ids are hexadecimal and players write them in either case; URLs are taken as they are.
  return `${keyType}:${keyType === 'url' || keyType === 'magnet' ? key : key.toLowerCase()}`;
}
