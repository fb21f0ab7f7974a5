/** What the request handlers share: the engine's memory, its faults and its metrics. */
import type { ContentCatalog } from './catalog/content-catalog.js';
import type { FaultInjector } from './faults/fault-injector.js';
import type { Broadcasts } from './media/broadcasts.js';
import type { EngineMetrics } from './metrics/engine-metrics.js';
import type { NetworkState } from './network/network-state.js';
import type { EngineOptions } from './options/engine-options.js';
import type { PlaybackSessions } from './sessions/playback-sessions.js';

export interface EngineContext {
  options: EngineOptions;
  faults: FaultInjector;
  contents: ContentCatalog;
  sessions: PlaybackSessions;
  metrics: EngineMetrics;
  broadcasts: Broadcasts;
  network: NetworkState;
  /** 64 hexadecimal digits. */
  accessToken: string;
  now(): number;
}
