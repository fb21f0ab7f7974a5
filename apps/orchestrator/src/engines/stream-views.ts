import type { StreamState } from '@acexy/contracts';

/** What engines' reads show of streams; whoever knows the streams provides it, because engines know nobody. */
export interface StreamViews {
  playingOn(engineId: string): StreamState[];
}

export const STREAM_VIEWS = Symbol('STREAM_VIEWS');
