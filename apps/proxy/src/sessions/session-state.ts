/**
 * The life of a stream's session:
 *
 *   starting ──► playing ◄──► lingering
 *       │          ▲ │            ▲ │
 *       │          │ ▼            │ │
 *       │        failing_over ◄───┴─┤
 *       │             │             │
 *       └─────────────┴─► stopping ◄┘ ──► ended
 *
 * `starting`: an engine is looked for and asked; viewers wait. `playing`: packets flow to viewers. `lingering`: packets flow, nobody
 * watches. `failing_over`: what fed the stream is lost and another engine is looked for; viewers stay, and others may come.
 * `stopping`: no more viewers; engines are told to stop and given back. `ended`: nothing is left.
 */
export type SessionState = 'starting' | 'playing' | 'lingering' | 'failing_over' | 'stopping' | 'ended';

const NEXT: Readonly<Record<SessionState, readonly SessionState[]>> = {
  starting: ['playing', 'lingering', 'stopping'],
  playing: ['lingering', 'failing_over', 'stopping'],
  lingering: ['playing', 'failing_over', 'stopping'],
  failing_over: ['playing', 'lingering', 'stopping'],
  stopping: ['ended'],
  ended: [],
};

/** A transition that the drawing above does not have: a mistake of ours. */
export class IllegalTransitionError extends Error {
  readonly code = 'illegal_transition';

  constructor(from: SessionState, to: SessionState) {
    super(`a session cannot go from ${from} to ${to}`);
    this.name = 'IllegalTransitionError';
  }
}

export function transition(from: SessionState, to: SessionState): SessionState {
  if (!NEXT[from].includes(to)) throw new IllegalTransitionError(from, to);
  return to;
}

/** Whether viewers may still come in. */
export function isOpen(state: SessionState): boolean {
  switch (state) {
    case 'starting':
    case 'playing':
    case 'lingering':
    case 'failing_over':
      return true;
    case 'stopping':
    case 'ended':
      return false;
    default: {
      const unknown: never = state;
      throw new TypeError(`no such state: ${String(unknown)}`);
    }
  }
}
