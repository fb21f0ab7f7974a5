import type { Playback } from '@acexy/engine-client';
import type { BroadcastSnapshot } from '../broadcast/broadcast.js';
import type { LeasedEngine } from '../selection/engine-selector.js';
import type { SelectorType } from './content-key.js';
import type { SessionState } from './session-state.js';

/** A stream as it is at one moment. Plain data, but for the seat. */
export interface SessionSnapshot {
  streamId: string;
  state: SessionState;
  keyType: SelectorType;
  key: string;
  /** null until an engine or the viewer has told it. */
  infohash: string | null;
  /** The engine in use or being tried; null while there is none. */
  engine: LeasedEngine | null;
  /** What the engine answered; null before it did. */
  playback: Playback | null;
  viewers: number;
  /** How often it has gone on from another engine. */
  failovers: number;
  /** ISO 8601 */
  startedAt: string;
  /** Milliseconds since then. */
  uptimeMs: number;
  /** The engine held in reserve for it, while its source is quiet. */
  reserve: string | null;
  /** null before the first packet. */
  broadcast: BroadcastSnapshot | null;
}
