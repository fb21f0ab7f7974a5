/** The contents: those of the catalog file, and every other one from its first request on. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { FaultTarget } from '../faults/fault-injector.js';
import { faultsOfId } from '../faults/id-faults.js';
import { parseSettings } from '../faults/simulator-settings.js';
import { InputError } from '../input-error.js';

export interface Content extends FaultTarget {
  title: string;
}

interface CatalogEntry {
  id?: string;
  infohash?: string;
  title?: string;
  settings?: Record<string, unknown>;
}

const HEX40 = /^[0-9a-f]{40}$/;
/** Contents remembered in addition to the catalog; the one that was requested longest ago is removed first. */
const MAX_REMEMBERED = 2000;

const sha1 = (text: string): string => createHash('sha1').update(text).digest('hex');

export class ContentCatalog {
  private readonly catalog: Content[];
  private readonly remembered = new Map<string, Content>();

  constructor(catalog: Content[] = []) {
    this.catalog = catalog;
  }

  /** The content of a content id; null if the id is not 40 hexadecimal digits. An id has the same infohash on every engine. */
  byId(id: string): Content | null {
    const hex = id.trim().toLowerCase();
    if (!HEX40.test(hex)) return null;
    const infohash = sha1(`cid:${hex}`);
    return (
      this.catalog.find((content) => content.id === hex) ??
      this.remember({ id: hex, infohash, title: `Channel ${hex.slice(0, 8)}`, settings: faultsOfId(hex) })
    );
  }

  /** The content of an infohash; null if it is not 40 hexadecimal digits. */
  byInfohash(infohash: string): Content | null {
    const hex = infohash.trim().toLowerCase();
    if (!HEX40.test(hex)) return null;
    return this.known(hex) ?? this.remember({ id: null, infohash: hex, title: `Channel ${hex.slice(0, 8)}`, settings: faultsOfId(hex) });
  }

  /** Whether this is the infohash of a content in the catalog, or of one that was requested before. */
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
    // First requested by its infohash, now by its id: the settings of the id apply.
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
    throw new InputError(`catalog entry ${index} must have an id or an infohash of 40 hexadecimal digits`);
  const settings = { ...faultsOfId(id ?? infohash), ...parseSettings(entry.settings ?? {}, 'content') };
  return { id, infohash, title: entry.title ?? `Channel ${infohash.slice(0, 8)}`, settings };
}

/** Reads a catalog: a JSON list of {id?, infohash?, title?, settings?}. @throws InputError */
export function readCatalogFile(file: string): Content[] {
  let entries: unknown;
  try {
    entries = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    // The message of a syntax error quotes the file, which may be any file of the container.
    throw new InputError(
      error instanceof SyntaxError ? `the catalog ${file} is not JSON` : `cannot read the catalog ${file}: ${(error as Error).message}`,
    );
  }
  if (!Array.isArray(entries)) throw new InputError(`the catalog ${file} must be a JSON list`);
  return entries.map((entry: CatalogEntry, index) => parseEntry(entry, index));
}
