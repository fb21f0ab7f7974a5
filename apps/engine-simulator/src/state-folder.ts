/** The engine's files: a cache that can grow, and the file from which some orchestrators read the access token. */
import { accessSync, appendFileSync, constants, mkdirSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import type { EngineOptions } from './options/engine-options.js';

/** Folder of the engine in images; it exists only in a container. */
const IMAGE_FOLDER = '/acestream';
const CACHE_START_BYTES = 16_384;

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false; // Missing or read-only: this is not a container of the engine.
  }
}

export class StateFolder {
  private constructor(private readonly cacheFile: string | null) {}

  /** Creates the folders and files. Without a configured folder it writes only in a container. */
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

  growCache(bytes: number): void {
    if (!this.cacheFile) return;
    // Operators delete the cache of a running engine with rm.
    mkdirSync(dirname(this.cacheFile), { recursive: true });
    appendFileSync(this.cacheFile, Buffer.alloc(bytes));
  }
}
