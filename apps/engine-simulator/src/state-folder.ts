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

/** Creates folders and files; returns the cache file. Null if no folder is configured and this is no container: then nothing is written. */
export function prepareStateFolder(options: EngineOptions, accessToken: string): string | null {
  const inImage = isWritable(IMAGE_FOLDER);
  const state = options.stateDir ?? (inImage ? join(homedir(), '.ACEStream') : null);
  if (!state) return null;
  const cache = options.cacheDir ?? join(state, '.acestream_cache');
  mkdirSync(cache, { recursive: true });
  const runtimeFile = join(inImage ? IMAGE_FOLDER : state, 'engine_runtime.json');
  writeFileSync(runtimeFile, `${JSON.stringify({ access_token: accessToken })}\n`, { mode: 0o600 });
  const cacheFile = join(cache, 'pieces.bin');
  writeFileSync(cacheFile, Buffer.alloc(CACHE_START_BYTES));
  return cacheFile;
}

export function growCache(cacheFile: string, bytes: number): void {
  // Operators delete the cache of a running engine with rm.
  mkdirSync(dirname(cacheFile), { recursive: true });
  appendFileSync(cacheFile, Buffer.alloc(bytes));
}
