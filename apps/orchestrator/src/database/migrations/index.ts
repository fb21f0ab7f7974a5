import { CreateInstallationAndStreams1764000000000 } from './1764000000000-create-installation-and-streams.js';

/** In the order they are applied; a released one is never changed again. */
export const MIGRATIONS = [CreateInstallationAndStreams1764000000000];
