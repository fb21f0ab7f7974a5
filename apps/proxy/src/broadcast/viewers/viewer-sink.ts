/** What a viewer's connection must offer. */
export interface ViewerSink {
  /** 'chunked': bytes come with their HTTP/1.1 chunk framing and are written to the socket as they are. 'raw': the stream alone (HTTP/1.0). */
  readonly framing: 'chunked' | 'raw';
  /** Takes bytes that are shared with other viewers: never write into them. `done` once they have left the process, or with why they have not. */
  write(bytes: Buffer, done: (error?: Error | null) => void): void;
  /** A clean end, after `finalBytes` (the last chunk of a chunked reply). */
  end(finalBytes?: Buffer): void;
}

/**
 * Why a viewer was let go. 'source-ended' was a clean end: the sink has been ended. 'too-slow' and 'write-failed' leave the connection to
 * its owner, to be destroyed. 'removed' answers removeViewer().
 */
export type ViewerEndReason = 'source-ended' | 'too-slow' | 'write-failed' | 'removed';

export interface ViewerHooks {
  /** The first bytes of the stream are about to be written. */
  onFirstByte?(): void;
  /** It was too slow and jumps over a part of the stream, for the `skips`-th time. Must not throw. */
  onSkip?(skips: number): void;
  /** Called exactly once; nothing is written afterwards. `error`: what failed, where the reason is 'write-failed'. Must not throw. */
  onEnd(reason: ViewerEndReason, error?: Error): void;
}
