/** What a viewer's connection must provide. */
export interface ViewerSink {
  /** 'chunked': bytes come with their HTTP/1.1 chunk framing and are written to the socket as they are. 'raw': the stream alone (HTTP/1.0). */
  readonly framing: 'chunked' | 'raw';
  /**
   * Takes bytes that are shared with other viewers: never modify them. Calls `done` once, when they have left the process, or with the error; their
   * memory is used again afterwards.
   */
  write(bytes: Buffer, done: (error?: Error | null) => void): void;
  /** A clean end, after `finalBytes` (the last chunk of a chunked reply). */
  end(finalBytes?: Buffer): void;
}

/**
 * Why a viewer was removed. 'source-ended': a clean end, the sink was ended. 'too-slow', 'write-failed' and 'failed' (an exception in our own code):
 * the owner must destroy the connection. 'removed': removeViewer() was called.
 */
export type ViewerEndReason = 'source-ended' | 'too-slow' | 'write-failed' | 'failed' | 'removed';

/** A hook that throws ends its viewer. */
export interface ViewerHooks {
  /** The first bytes of the stream are about to be written. */
  onFirstByte?(viewerId: number): void;
  /** The viewer was too slow and skips a part of the stream, for the `skips`-th time. */
  onSkip?(skips: number): void;
  /** Called exactly once; nothing is written afterwards. `error`: the cause of 'write-failed' and 'failed'. */
  onEnd(reason: ViewerEndReason, error?: Error): void;
}
