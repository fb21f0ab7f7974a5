/** One engine as the orchestrator knows it, and what can happen to it. */
import type { HealthStatus } from '@acexy/contracts';
import type { EngineInstance } from '../runtime/engine-runtime.js';

/**
 * `starting`: it runs and its API has not answered yet. `ready`: its API has answered. `draining`: it gets no new streams and is removed when it is
 * idle or at its deadline. `gone`: the runtime no longer has it; only listeners see this state.
 */
export const LIFECYCLES = ['starting', 'ready', 'draining'] as const;
export type Lifecycle = (typeof LIFECYCLES)[number] | 'gone';

export interface Engine {
  readonly id: string;
  readonly instance: EngineInstance;
  readonly lifecycle: Lifecycle;
  readonly health: HealthStatus;
  /** True for an engine that has a forwarded port of a VPN. */
  readonly forwarded: boolean;
  /** Why it has no network although it runs, for example because its VPN is down; or null. */
  readonly cutOff: string | null;
  /** In the first list of the runtime: an earlier run of the orchestrator started it. */
  readonly adopted: boolean;
  /** Made from another image or other settings than a new engine would be. */
  readonly outdated: boolean;
  /** Its API has answered at least once. */
  readonly answered: boolean;
  readonly drain: Drain | null;
  /** Ids of the streams that are assigned to it. */
  readonly streams: readonly string[];
  /** Wall time in milliseconds, like the next three. */
  readonly firstSeen: number;
  readonly lastSeen: number;
  readonly lastHealthCheck: number | null;
  readonly lastStreamUsage: number | null;
  /** Monotonic milliseconds, like the next two. */
  readonly lifecycleSince: number;
  readonly healthSince: number;
  /** When the last lease or stream on it ended; null while it has one. */
  readonly idleSince: number | null;
}

export interface Drain {
  reason: string;
  /** Wall time in milliseconds; then the engine is removed even if it plays. */
  deadline: number;
}

export interface EngineChange {
  /**
   * `gone`: the engine no longer runs. `cleared`: its stopped container is removed; until then it may start again and keeps its name and ports.
   * `remains`: the first list shows a stopped container of an earlier run.
   */
  type: 'added' | 'ready' | 'draining' | 'health' | 'gone' | 'remains' | 'cleared';
  engine: Engine;
  reason?: string;
  /** Of `gone`: its stopped container still exists; `cleared` follows unless it starts again. */
  remains?: boolean;
  /** Of `gone`: it already runs again, since this wall time at the earliest; `added` follows. */
  restartedSince?: number;
}

/** Why an engine is removed that did not answer in time. */
export const NEVER_ANSWERED = 'did not answer in time after its start';

/** Whether the engine ended by itself, or was given up, before its API ever answered. */
export function wasNeverReady({ answered, drain, instance }: Engine): boolean {
  return instance.kind === 'acestream' && !answered && (drain === null || drain.reason === NEVER_ANSWERED);
}
