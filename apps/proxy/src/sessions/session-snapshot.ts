import type { Playback } from '@acexy/engine-client';
import type { BroadcastSnapshot } from '../broadcast/broadcast.js';
import type { LeasedEngine } from '../selection/engine-selector.js';
import type { SelectorType } from '../http/content-key.js';
import type { SessionState } from './session-state.js';

/** A session at one moment. */
export interface SessionSnapshot {
  streamId: string;
  state: SessionState;
  keyType: SelectorType;
  key: string;
  /** null while unknown. */
  infohash: string | null;
  /** null while unknown. */
  title: string | null;
  /** The engine in use or being tried; null while there is none. */
  engine: LeasedEngine | null;
  /** The engine's answer to the start; null before it. */
  playback: Playback | null;
  viewers: number;
  failovers: number;
  /** ISO 8601 */
  startedAt: string;
  uptimeMs: number;
  /** Id of the standby engine; null while there is none. */
  standbyEngine: string | null;
  /** null before the first packet. */
  broadcast: BroadcastSnapshot | null;
}
