/** One round of the reconcile loop: combines scaling, replacement and what provisioning allows. Pure. */
import type { OperationType } from '@acexy/contracts';
import { capacityRefusal, type ProvisioningRefusedError } from '../provisioning/refusals.policy.js';
import type { Decision } from './decision-log.js';
import { countReplacements, planReplacement, type ReplacementLimits, type ReplacementPlan } from './replacement.policy.js';
import { countEngines, decideScaling, type PoolLimits, type PoolState, type ScalingDecision } from './scaling.policy.js';

export interface RoundInputs {
  pool: PoolState;
  limits: PoolLimits & ReplacementLimits;
  /** Engines that are being removed. */
  removing: ReadonlySet<string>;
  /** Why no engine can be started, by operation; null when it can. */
  blocked: Record<OperationType, ProvisioningRefusedError | null>;
  /** How many starts the circuit breakers permit at the same time. */
  startLimits: Record<OperationType, number>;
  replacementsInProgress: number;
  sinceLastReplacementMs: number;
}

export interface Round {
  scaling: ScalingDecision;
  replacement: ReplacementPlan;
  /** Engines to start, by operation. */
  starts: OperationType[];
  /** Why none or not all of them can be started. */
  blocked: ProvisioningRefusedError | null;
}

export function decideRound({ pool, limits, removing, blocked, startLimits, ...inputs }: RoundInputs): Round {
  const decision = decideScaling(pool, limits);
  const scaling = { ...decision, remove: decision.remove.filter(({ id }) => !removing.has(id)) };
  const replacements = countReplacements(scaling.start, pool, inputs.replacementsInProgress);
  const startsOf = (operation: OperationType, wanted: number): OperationType[] => {
    // A requested start may be the trial of a half-open circuit breaker.
    const permitted = Math.max(0, startLimits[operation] - pool.pending);
    return Array<OperationType>(blocked[operation] ? 0 : Math.min(wanted, permitted)).fill(operation);
  };
  const full = scaling.limited ? capacityRefusal(limits.max) : null;
  return {
    scaling,
    replacement: planReplacement(
      { ...pool, sinceLastMs: inputs.sinceLastReplacementMs, blocked: blocked.replacement?.message ?? null },
      limits,
    ),
    starts: [...startsOf('general', scaling.start - replacements), ...startsOf('replacement', replacements)],
    blocked: blocked.general ?? (replacements > 0 ? blocked.replacement : null) ?? full,
  };
}

/** What the decision log keeps of a round. */
export function describeRound({ pool, limits }: RoundInputs, { scaling, replacement, starts, blocked }: Round): Decision {
  const { engines } = pool;
  const toEntry = ({ id, reason }: { id: string; reason: string }) => ({ container_id: id, reason });
  return {
    inputs: {
      total: pool.total,
      free: countEngines(pool).free.length,
      busy: engines.filter(({ claims }) => claims > 0).length,
      starting: engines.filter(({ lifecycle }) => lifecycle === 'starting').length,
      pending: pool.pending,
      unhealthy: engines.filter(({ health }) => health === 'unhealthy').length,
      draining: engines.filter(({ lifecycle }) => lifecycle === 'draining').length,
      held: engines.filter(({ cordon }) => cordon !== null).length,
      waiting: pool.waiting,
      floor: pool.manualMinimum,
      taken: pool.taken,
      recent_peak: pool.recentPeak,
      min_free: limits.minFree,
      max: limits.max,
    },
    target: scaling.target,
    lookahead: scaling.lookahead,
    started: starts.length,
    replacements: starts.filter((operation) => operation === 'replacement').length,
    revoked: scaling.revoke,
    drained: replacement.drain ? [toEntry(replacement.drain)] : [],
    removed: scaling.remove.map(toEntry),
    blocked: scaling.start > starts.length || scaling.limited ? (blocked?.message ?? null) : null,
    reasons:
      replacement.waitsFor === null
        ? scaling.reasons
        : [...scaling.reasons, `replacement of unhealthy engines waits for ${replacement.waitsFor}`],
  };
}
