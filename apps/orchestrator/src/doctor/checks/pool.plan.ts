/** The pool of engines: number, start time, health. */
import { type Check, type Findings, good, unknown, warning, wrong } from '../check.js';
import type { Facts, OrchestratorFacts, Reached } from '../facts.js';
import type { Scrape } from '../scrape.js';
import { percent, seconds } from '../units.js';

/** Mean start time in seconds above which engines count as slow; real ones need 5 to 15. */
const SLOW_START_S = 30;
const LONG_QUEUE_S = 10;
const BREAKERS = { general: 'for starting engines', replacement: 'for replacing engines' } as const;

/** For checks that need an orchestrator with metrics. */
function withMetrics(look: (scrape: Scrape, orchestrator: Reached<OrchestratorFacts>) => Findings): Check['look'] {
  return ({ orchestrator }: Facts) => {
    if (!orchestrator.reached) return unknown('the orchestrator does not answer');
    return orchestrator.scrape === null ? unknown('the orchestrator has no metrics') : look(orchestrator.scrape, orchestrator);
  };
}

/** Whether an engine is available comes last: everything else in this list may be the cause. */
export const POOL_CHECKS: readonly Check[] = [
  {
    id: 'circuit-breaker',
    question: 'Is the circuit breaker closed, and does it stay closed?',
    look: withMetrics(function* (scrape, { health }) {
      for (const [name, purpose] of Object.entries(BREAKERS) as [keyof typeof BREAKERS, string][]) {
        const breaker = health?.circuit_breakers[name];
        const reason = breaker?.last_failure_reason ? `: ${breaker.last_failure_reason}` : '';
        const opened = scrape.sum('orch_circuit_breaker_opened_total', { operation_type: name }) ?? 0;
        if (breaker && breaker.state !== 'closed')
          yield wrong(
            `the circuit breaker ${purpose} is ${breaker.state}, next attempt in ${breaker.recovery_eta_seconds} s${reason}`,
            `Fix the cause (see the results for Docker, image and disk), then POST /health/circuit-breaker/reset?operation_type=${name}.`,
          );
        else if (opened > 2)
          yield warning(
            `the circuit breaker ${purpose} has opened ${opened} times since the orchestrator started${reason}`,
            'Check whether Docker is overloaded. If not, make the breaker less sensitive: set CIRCUIT_BREAKER_THRESHOLD=10.',
          );
        else if (breaker && breaker.failure_count > 0)
          yield warning(
            `${breaker.failure_count} failures in a row: the circuit breaker ${purpose} opens after ${breaker.failure_threshold}${reason}`,
            'Fix the cause before the breaker opens.',
          );
      }
      return good('closed');
    }),
  },

  {
    id: 'slow-provisioning',
    question: 'Do engines start fast enough?',
    look: withMetrics(function* (scrape) {
      const done = scrape.sum('orch_provision_duration_seconds_count', { success: 'true' }) ?? 0;
      const failed = scrape.sum('orch_provision_duration_seconds_count', { success: 'false' }) ?? 0;
      const meanS = scrape.mean('orch_provision_duration_seconds', { success: 'true' }) ?? 0;
      if (failed > 0 && failed * 5 > done)
        yield wrong(
          `${failed} of ${done + failed} starts of engines failed (${percent(failed, done + failed)})`,
          '`docker compose logs orchestrator | grep "provisioning failed"` shows the reasons.',
        );
      if (meanS > SLOW_START_S)
        yield warning(
          `an engine takes ${seconds(meanS * 1000)} to start on average`,
          'Keep more engines ready (MIN_REPLICAS), and give Docker more processors; for slow images set PROVISION_STARTUP_GRACE_S=45.',
        );
      if (done + failed === 0) return good('no engine was started since the orchestrator started');
      return good(`${done} started, in ${seconds(meanS * 1000)} on average`);
    }),
  },

  {
    id: 'rate-limit',
    question: 'Is the rate limit of provisioning too strict?',
    look: withMetrics((scrape, { provisioning }) => {
      const meanS = scrape.mean('orch_provision_queue_wait_seconds') ?? 0;
      const wait = seconds(meanS * 1000);
      const queued = provisioning?.queued ?? 0;
      if (meanS <= LONG_QUEUE_S) return good(`${queued} queued; a start waits ${wait} on average`);
      return warning(
        queued > 0 && provisioning?.remaining === 0
          ? `${queued} starts are queued; they wait ${wait} on average`
          : `a start waits ${wait} in the queue on average`,
        'Raise MAX_CONCURRENT_PROVISIONS (to 10) and lower MIN_PROVISION_INTERVAL_S (to 0.2), as long as Docker starts engines fast enough.',
      );
    }),
  },

  {
    id: 'unhealthy-engines',
    question: 'Are engines unhealthy?',
    look: withMetrics((scrape, { health }) => {
      const unhealthy = scrape.sum('orch_engines_total', { health_status: 'unhealthy' }) ?? 0;
      const healthy = scrape.sum('orch_engines_total', { health_status: 'healthy' }) ?? 0;
      if (unhealthy === 0) return good(`${healthy} healthy, none unhealthy`);
      const marked = health?.marked_for_replacement ?? 0;
      return (unhealthy > healthy ? wrong : warning)(
        `${unhealthy} of ${unhealthy + healthy} engines are unhealthy, ${marked} of them are being replaced`,
        'They are replaced one by one. To speed this up: `DELETE /containers/{id}` or POST /gc. If they are only slow, set HEALTH_CHECK_TIMEOUT_S=10.',
      );
    }),
  },

  {
    id: 'no-engines',
    question: 'Is an engine available for the next stream?',
    look: withMetrics((scrape, { status }) => {
      const free = scrape.sum('orch_engines_use', { use: 'free' }) ?? 0;
      const min = scrape.sum('orch_pool_limit', { limit: 'min_free' }) ?? 0;
      const max = scrape.sum('orch_pool_limit', { limit: 'max' }) ?? 0;
      const all = scrape.sum('orch_engines_lifecycle') ?? 0;
      const waiting = scrape.sum('orch_leases_waiting') ?? 0;
      const blocked = status?.provisioning.blocked_reason ?? null;
      const pool = `${free} of ${all} engines are free (MIN_REPLICAS=${min}, at most ${max})`;
      if (free > 0 && waiting === 0) {
        if (free >= min || all >= max) return good(pool);
        return warning(`${pool}: fewer than MIN_REPLICAS`, 'The orchestrator starts more. If it does not, the results above show why.');
      }
      const shortage = waiting > 0 ? `${waiting} streams wait for an engine; ${pool}` : pool;
      if (all >= max)
        return wrong(
          `${shortage}: the pool is full`,
          'Raise MAX_REPLICAS (behind a VPN also MAX_ACTIVE_REPLICAS) and the memory (see deploy/profiles), or add a second host.',
        );
      if (blocked !== null)
        return wrong(
          `${shortage}, and none can be started: ${blocked}`,
          'The results for image, Docker, VPN and circuit breaker show why.',
        );
      if (waiting > 0 || min > 0)
        return warning(
          shortage,
          'Keep more engines ready: MIN_REPLICAS=5 or more, `POST /scale/10` before many viewers come, AUTOSCALE_INTERVAL_S=20.',
        );
      return good(`${pool}: the next stream starts an engine`);
    }),
  },

  {
    id: 'outdated-engines',
    question: 'Are all engines made from the current image and settings?',
    look: withMetrics((scrape) => {
      const outdated = scrape.sum('orch_engines_outdated') ?? 0;
      if (outdated === 0) return good('all engines are made from the current image and settings');
      return warning(
        `${outdated} engines run with an earlier image (TARGET_IMAGE) or earlier engine settings`,
        'New engines use the current ones. `GET /engines` shows which are `outdated`: remove those without streams with `DELETE /containers/{id}`.',
      );
    }),
  },
];
