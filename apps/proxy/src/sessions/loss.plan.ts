/** What follows when a playing stream loses its source. Failing over to another engine is decided here. */

/** `eof`: the engine ended the media; `reset`: the connection broke; `stall`: nothing came for too long. */
export type LossReason = 'eof' | 'reset' | 'stall';

export type LossPlan = { step: 'end'; /** As viewers' logs and the orchestrator read it. */ reason: string };

export function planAfterLoss(loss: LossReason): LossPlan {
  switch (loss) {
    case 'eof':
      return { step: 'end', reason: 'the engine ended the stream' };
    case 'reset':
      return { step: 'end', reason: 'the connection to the engine broke' };
    case 'stall':
      return { step: 'end', reason: 'the engine sent nothing for too long' };
    default: {
      const unknown: never = loss;
      throw new TypeError(`no such loss: ${String(unknown)}`);
    }
  }
}
