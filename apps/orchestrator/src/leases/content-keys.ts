import type { KeyType } from '@acexy/contracts';
import { BoundedMap } from '@acexy/service-kit/primitives';

export interface ContentIdentity {
  keyType: KeyType;
  key: string;
  /** If the client knows it. */
  infohash?: string | null;
}

/** Number of content ids whose infohash is remembered; the oldest go first. */
const REMEMBERED = 10_000;

/**
 * The names of a content: its key and, if any client ever sent it, its infohash. Two requests are for the same content when they share a name.
 * An engine stops all sessions of a content at once, so the names decide which streams may share an engine.
 */
export class ContentKeys {
  private readonly infohashes = new BoundedMap<string, string>(REMEMBERED);

  /** The keys of a content. Remembers its infohash for later requests without one. */
  of({ keyType, key, infohash }: ContentIdentity): string[] {
    const own = nameOf(keyType, key);
    if (keyType === 'infohash') return [own];
    if (infohash) this.infohashes.set(own, nameOf('infohash', infohash));
    const known = this.infohashes.get(own);
    return known === undefined ? [own] : [own, known];
  }
}

function nameOf(keyType: KeyType, key: string): string {
  // Ids are hexadecimal, and players send them in upper or lower case; URLs are case-sensitive.
  return `${keyType}:${keyType === 'url' || keyType === 'magnet' ? key : key.toLowerCase()}`;
}
