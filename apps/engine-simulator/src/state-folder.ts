/** What the engine leaves on the disk: a cache that can grow, and the file from which some orchestrators read its access token. */
import { accessSync, appendFileSync, constants, mkdirSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import type { EngineOptions } from './options/engine-options.js';

/** The folder of the images' main program; outside of a container it does not exist. */
const IMAGE_FOLDER = '/acestream';
const CACHE_START_BYTES = 16_384;

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false; // Absent or read only: both mean that this is not our container.
  }
}

export class StateFolder {
  private constructor(private readonly cacheFile: string | null) {}

  /** Makes the folders; where none was named and this is no container, nothing is written at all. */
  static prepare(options: EngineOptions, accessToken: string): StateFolder {
    const inImage = isWritable(IMAGE_FOLDER);
    const state = options.stateDir ?? (inImage ? join(homedir(), '.ACEStream') : null);
    const runtime = `${JSON.stringify({ access_token: accessToken })}\n`;
    if (inImage) writeFileSync(join(IMAGE_FOLDER, 'engine_runtime.json'), runtime, { mode: 0o600 });
    if (!state) return new StateFolder(null);
    const cache = options.cacheDir ?? join(state, '.acestream_cache');
    mkdirSync(cache, { recursive: true });
    if (!inImage) writeFileSync(join(state, 'engine_runtime.json'), runtime, { mode: 0o600 });
    const cacheFile = join(cache, 'pieces.bin');
    writeFileSync(cacheFile, Buffer.alloc(CACHE_START_BYTES));
    return new StateFolder(cacheFile);
  }

  /** Lets the cache grow, as a disk cache does that nobody cleans. */
  grow(bytes: number): void {
    if (!this.cacheFile) return;
    // Operators clean the cache of a running engine with rm.
    mkdirSync(dirname(this.cacheFile), { recursive: true });
    appendFileSync(this.cacheFile, Buffer.alloc(bytes));
  }
}
