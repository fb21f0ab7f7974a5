import { CreateInstallationAndStreams1764000000000 } from './1764000000000-create-installation-and-streams.js';
import { CreatePool1764010000000 } from './1764010000000-create-pool.js';
import { CreateStreamStats1764020000000 } from './1764020000000-create-stream-stats.js';

/** In the order in which they are applied. A released migration is never changed. */
export const MIGRATIONS = [CreateInstallationAndStreams1764000000000, CreatePool1764010000000, CreateStreamStats1764020000000];
