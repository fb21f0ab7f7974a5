/** Which contents there are: those of the catalog, and every other one as soon as somebody asks for it. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { FaultSubject } from '../faults/fault-book.js';
import { faultsOfId } from '../faults/id-faults.js';
import { type Knobs, parseKnobs } from '../faults/knobs.js';

export interface Content extends FaultSubject {
  title: string;
}

/** The catalog file cannot be used. */
export class CatalogError extends Error {
  readonly code = 'bad_catalog';
}

interface CatalogEntry {
  id?: string;
  infohash?: string;
  title?: string;
  knobs?: Record<string, unknown>;
}

const HEX40 = /^[0-9a-f]{40}$/;
/** Contents remembered beyond the catalog; the one asked for longest ago is forgotten first. */
const MAX_REMEMBERED = 2000;

const sha1 = (text: string): string => createHash('sha1').update(text).digest('hex');

export class ContentDirectory {
  private readonly catalog: Content[];
  private readonly remembered = new Map<string, Content>();

  constructor(catalog: Content[] = []) {
    this.catalog = catalog;
  }

  /** The content behind a content id; null where the id is not 40 hex. The same id has the same infohash on every engine. */
  byId(id: string): Content | null {
    const hex = id.trim().toLowerCase();
    if (!HEX40.test(hex)) return null;
    const infohash = sha1(`cid:${hex}`);
    return (
      this.catalog.find((content) => content.id === hex) ??
      this.remember({ id: hex, infohash, title: `Channel ${hex.slice(0, 8)}`, knobs: faultsOfId(hex) })
    );
  }

  /** The content of an infohash; null where it is not 40 hex. */
  byInfohash(infohash: string): Content | null {
    const hex = infohash.trim().toLowerCase();
    if (!HEX40.test(hex)) return null;
    return this.known(hex) ?? this.remember({ id: null, infohash: hex, title: `Channel ${hex.slice(0, 8)}`, knobs: faultsOfId(hex) });
  }

  /** The content of a transport file or direct URL; null where it is not an http(s) address. */
  byUrl(url: string): Content | null {
    if (!/^https?:\/\/./i.test(url)) return null;
    const infohash = sha1(`url:${url}`);
    return this.known(infohash) ?? this.remember({ id: null, infohash, title: url, knobs: {} });
  }

  byMagnet(magnet: string): Content | null {
    const match = /xt=urn:btih:([0-9a-fA-F]{40})/.exec(magnet);
    return match ? this.byInfohash(match[1]) : null;
  }

  /** Is this the infohash of a content that the engine has met? */
  knows(infohash: string): boolean {
    return this.known(infohash.toLowerCase()) !== undefined;
  }

  all(): Content[] {
    return [...this.catalog, ...this.remembered.values()];
  }

  private known(infohash: string): Content | undefined {
    return this.catalog.find((content) => content.infohash === infohash) ?? this.remembered.get(infohash);
  }

  private remember(content: Content): Content {
    const old = this.remembered.get(content.infohash);
    this.remembered.delete(content.infohash);
    // Met by its infohash first, by its id now: it takes on what the id says.
    const kept = old && (old.id ?? content.id) === old.id ? old : content;
    this.remembered.set(kept.infohash, kept);
    if (this.remembered.size > MAX_REMEMBERED) this.remembered.delete(this.remembered.keys().next().value!);
    return kept;
  }
}

function parseEntry(entry: CatalogEntry, index: number): Content {
  const id = entry.id?.toLowerCase() ?? null;
  const infohash = entry.infohash?.toLowerCase() ?? (id ? sha1(`cid:${id}`) : '');
  if ((id !== null && !HEX40.test(id)) || !HEX40.test(infohash))
    throw new CatalogError(`entry ${index} needs an id or an infohash of 40 hex digits`);
  const knobs: Partial<Knobs> = { ...faultsOfId(id ?? infohash), ...parseKnobs(entry.knobs ?? {}, 'content') };
  return { id, infohash, title: entry.title ?? `Channel ${infohash.slice(0, 8)}`, knobs };
}

/** Reads a catalog: a JSON list of {id?, infohash?, title?, knobs?}; throws CatalogError or KnobError. */
export function readCatalog(file: string): Content[] {
  let entries: unknown;
  try {
    entries = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new CatalogError(`the catalog ${file} cannot be read: ${(error as Error).message}`);
  }
  if (!Array.isArray(entries)) throw new CatalogError(`the catalog ${file} is not a list`);
  return entries.map((entry: CatalogEntry, index) => parseEntry(entry, index));
}
