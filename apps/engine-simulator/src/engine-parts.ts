/** What the request handlers share: the engine's memory, its faults and its counters. */
import type { Content, ContentDirectory } from './contents/content-directory.js';
import type { Counters } from './counters/counters.js';
import type { FaultBook } from './faults/fault-book.js';
import { LoopLibrary } from './media/broadcasts.js';
import { Timeline } from './media/timeline.js';
import type { NetworkState } from './network/network-state.js';
import type { EngineOptions } from './options/engine-options.js';
import type { SessionRegistry } from './sessions/session-registry.js';

export interface EngineParts {
  options: EngineOptions;
  faults: FaultBook;
  contents: ContentDirectory;
  sessions: SessionRegistry;
  counters: Counters;
  broadcasts: Broadcasts;
  network: NetworkState;
  /** 64 hex, what get_api_access_token tells and the administration asks for. */
  accessToken: string;
  now(): number;
  /** Ends the process, as the administration page does. */
  shutdown(): void;
}

/** The timelines of contents, on loops shared by all of one rate. */
export class Broadcasts {
  private readonly loops = new LoopLibrary();

  constructor(
    private readonly faults: FaultBook,
    private readonly now: () => number,
  ) {}

  timelineOf(content: Content): Timeline {
    const { bitrate, picture } = this.faults.of(content);
    return new Timeline(this.loops.loop(bitrate, picture), content.infohash, this.faults.engine.marker);
  }

  /** How far this engine has the broadcast, Unix ms: the skew is how far it lies behind the broadcaster. */
  edgeTime(): number {
    return this.now() - this.faults.engine.skewMs;
  }
}
