/** The sessions of this proxy, as reports and health checks see them: in this process, or in its workers. */
import type { LeaveOrder } from '@acexy/contracts';
import type { ListenerSet } from '@acexy/service-kit/primitives';
import type { SessionEvent } from './session-events.js';
import type { SessionSnapshot } from './session-snapshot.js';

export abstract class SessionDirectory {
  /** Called at the moment of each event. */
  abstract readonly events: ListenerSet<SessionEvent>;
  /** Why new viewers are rejected; null: they are accepted. */
  abstract readonly rejecting: string | null;
  abstract snapshots(): SessionSnapshot[];
  /** Moves the streams of the engine to other engines. */
  abstract leaveEngine(order: LeaveOrder): void;
  /** Ends up to `count` sessions without viewers. @returns the number ended */
  abstract endLingering(count: number): number;
}
