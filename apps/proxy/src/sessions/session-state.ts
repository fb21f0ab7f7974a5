import { CodedError } from '@acexy/service-kit/primitives';

/**
 * The states of a session:
 *
 *   starting ──► playing ◄──► lingering
 *       │          ▲ │            ▲ │
 *       │          │ ▼            │ │
 *       │        failing_over ◄───┴─┤
 *       │             │             │
 *       └─────────────┴─► stopping ◄┘ ──► ended
 *
 * `starting`: leases and starts an engine; viewers wait. `playing`: viewers get packets. `lingering`: packets arrive, but there are no viewers.
 * `failing_over`: the source is lost and another engine is being searched; viewers stay, and new ones may join.
 * `stopping`: accepts no more viewers; stops and releases its engines. `ended`: holds nothing.
 */
export const SESSION_STATES = ['starting', 'playing', 'lingering', 'failing_over', 'stopping', 'ended'] as const;
export type SessionState = (typeof SESSION_STATES)[number];

const NEXT: Readonly<Record<SessionState, readonly SessionState[]>> = {
  starting: ['playing', 'lingering', 'stopping'],
  playing: ['lingering', 'failing_over', 'stopping'],
  lingering: ['playing', 'failing_over', 'stopping'],
  failing_over: ['playing', 'lingering', 'stopping'],
  stopping: ['ended'],
  ended: [],
};

/** A bug: the table has no such transition. */
export class IllegalTransitionError extends CodedError {
  readonly code = 'illegal_transition';

  constructor(from: SessionState, to: SessionState) {
    super(`a session cannot go from ${from} to ${to}`);
  }
}

export function transition(from: SessionState, to: SessionState): SessionState {
  if (!NEXT[from].includes(to)) throw new IllegalTransitionError(from, to);
  return to;
}

/** Whether viewers may join. */
export function isOpen(state: SessionState): boolean {
  return state !== 'ended' && state !== 'stopping';
}
