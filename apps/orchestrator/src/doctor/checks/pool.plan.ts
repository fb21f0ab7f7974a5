/** The pool of engines: number, start time, health. */
import type { Check } from '../check.js';
import type { Facts, OrchestratorFacts } from '../facts.js';
import type { Scrape } from '../scrape.js';
import { percent, seconds } from '../units.js';
import { good, orGood, unknown, type Verdict, warning, wrong } from '../verdict.js';

/** Mean start time in seconds above which engines count as slow; real ones need 5 to 15. */
const SLOW_START_S = 30;
const LONG_QUEUE_S = 10;

type Reached = Extract<OrchestratorFacts, { reached: true }> & { scrape: Scrape };

function withOrchestrator({ orchestrator }: Facts, look: (orchestrator: Reached) => Verdict[]): Verdict[] {
  if (!orchestrator.reached) return [unknown('the orchestrator does not answer')];
  const { scrape } = orchestrator;
  return scrape === null ? [unknown('the orchestrator has no metrics')] : look({ ...orchestrator, scrape });
}

export const enginesAreAvailable: Check = {
  id: 'no-engines',
  question: 'Is an engine available for the next stream?',
  look: (facts) =>
    withOrchestrator(facts, ({ scrape, status }) => {
      const free = scrape.sum('orch_engines_use', { use: 'free' }) ?? 0;
      const min = scrape.sum('orch_pool_limit', { limit: 'min_free' }) ?? 0;
      const max = scrape.sum('orch_pool_limit', { limit: 'max' }) ?? 0;
      const all = scrape.sum('orch_engines_lifecycle') ?? 0;
      const waiting = scrape.sum('orch_leases_waiting') ?? 0;
      const blocked = status?.provisioning.blocked_reason ?? null;
      const pool = `${free} of ${all} engines are free (MIN_REPLICAS=${min}, MAX_REPLICAS=${max})`;
      if (free > 0 && waiting === 0)
        return free >= min || all >= max
          ? [good(pool)]
          : [warning(`${pool}: fewer than MIN_REPLICAS`, 'More are being started. If not, the next results show why.')];
      const shortage = waiting > 0 ? `${waiting} streams wait for an engine; ${pool}` : pool;
      if (all >= max)
        return [wrong(`${shortage}: the pool is full`, 'Raise MAX_REPLICAS and the memory (see deploy/profiles), or add a second host.')];
      if (blocked !== null)
        return [
          wrong(`${shortage}, and none can be started: ${blocked}`, 'The results for image, Docker, VPN and circuit breaker show why.'),
        ];
      if (waiting > 0 || min > 0)
        return [
          warning(shortage, 'Keep more engines ready: MIN_REPLICAS=5 or more, `POST /scale/10` before a rush, AUTOSCALE_INTERVAL_S=20.'),
        ];
      return [good(`${pool}: the first stream starts one`)];
    }),
};

export const provisioningIsFast: Check = {
  id: 'slow-provisioning',
  question: 'Do engines start fast enough?',
  look: (facts) =>
    withOrchestrator(facts, ({ scrape }) => {
      const done = scrape.sum('orch_provision_duration_seconds_count', { success: 'true' }) ?? 0;
      const failed = scrape.sum('orch_provision_duration_seconds_count', { success: 'false' }) ?? 0;
      const took = scrape.mean('orch_provision_duration_seconds', { success: 'true' });
      const problems: Verdict[] = [];
      if (failed > 0 && failed * 5 > done)
        problems.push(
          wrong(
            `${failed} of ${done + failed} starts of engines failed (${percent(failed, done + failed)})`,
            '`docker compose logs orchestrator | grep "provisioning failed"` shows the reasons.',
          ),
        );
      if (took !== null && took > SLOW_START_S)
        problems.push(
          warning(
            `an engine takes ${seconds(took * 1000)} to start on average`,
            'Keep more engines ready (MIN_REPLICAS), and give Docker more processors; for slow images PROVISION_STARTUP_GRACE_S=45.',
          ),
        );
      if (took === null && failed === 0) return [good('no engine was started since the orchestrator started')];
      return orGood(problems, `${done} started, in ${seconds((took ?? 0) * 1000)} on average`);
    }),
};

export const rateLimitFits: Check = {
  id: 'rate-limit',
  question: 'Is the rate limit of provisioning too strict?',
  look: (facts) =>
    withOrchestrator(facts, ({ scrape, provisioning }) => {
      const wait = scrape.mean('orch_provision_queue_wait_seconds');
      const queued = provisioning?.queued ?? 0;
      const cure = 'Raise MAX_CONCURRENT_PROVISIONS (10) and lower MIN_PROVISION_INTERVAL_S (0.2), as far as Docker can follow.';
      if (queued > 0 && provisioning?.remaining === 0 && (wait ?? 0) > LONG_QUEUE_S)
        return [warning(`${queued} starts are queued; they wait ${seconds((wait ?? 0) * 1000)} on average`, cure)];
      if (wait !== null && wait > LONG_QUEUE_S) return [warning(`a start waits ${seconds(wait * 1000)} in the queue on average`, cure)];
      return [good(`${queued} queued; a start waits ${seconds((wait ?? 0) * 1000)} on average`)];
    }),
};

export const enginesAreHealthy: Check = {
  id: 'unhealthy-engines',
  question: 'Are engines unhealthy?',
  look: (facts) =>
    withOrchestrator(facts, ({ scrape, health }) => {
      const unhealthy = scrape.sum('orch_engines_total', { health_status: 'unhealthy' }) ?? 0;
      const healthy = scrape.sum('orch_engines_total', { health_status: 'healthy' }) ?? 0;
      if (unhealthy === 0) return [good(`${healthy} healthy, none unhealthy`)];
      const cure =
        'They are replaced one by one. To speed this up: `DELETE /containers/{id}` or POST /gc. If they are only slow: HEALTH_CHECK_INTERVAL_S=20 and HEALTH_CHECK_TIMEOUT_S=10.';
      const marked = health?.marked_for_replacement ?? 0;
      const says = `${unhealthy} of ${unhealthy + healthy} engines are unhealthy, ${marked} of them are being replaced`;
      return [unhealthy > healthy ? wrong(says, cure) : warning(says, cure)];
    }),
};

export const breakerIsClosed: Check = {
  id: 'circuit-breaker',
  question: 'Is the circuit breaker closed, and does it stay closed?',
  look: (facts) =>
    withOrchestrator(facts, ({ scrape, health }) => {
      const problems: Verdict[] = [];
      for (const [name, which] of [
        ['general', 'for starting engines'],
        ['replacement', 'for replacing engines'],
      ] as const) {
        const breaker = health?.circuit_breakers[name];
        const reason = breaker?.last_failure_reason ? `: ${breaker.last_failure_reason}` : '';
        const opened = scrape.sum('orch_circuit_breaker_opened_total', { operation_type: name }) ?? 0;
        if (breaker && breaker.state !== 'closed')
          problems.push(
            wrong(
              `the circuit breaker ${which} is ${breaker.state}, next attempt in ${breaker.recovery_eta_seconds} s${reason}`,
              `Fix the cause (see the results for Docker, image and disk), then POST /health/circuit-breaker/reset?operation_type=${name}.`,
            ),
          );
        else if (opened > 2)
          problems.push(
            warning(
              `the circuit breaker ${which} has opened ${opened} times since the orchestrator started${reason}`,
              'Check whether Docker is overloaded. If not, make the breaker less sensitive: CIRCUIT_BREAKER_THRESHOLD=10 and CIRCUIT_BREAKER_TIMEOUT_S=300.',
            ),
          );
        else if (breaker && breaker.failure_count > 0)
          problems.push(
            warning(
              `${breaker.failure_count} failures in a row; ${breaker.failure_threshold} open the circuit breaker ${which}${reason}`,
              'Fix the cause before the breaker opens.',
            ),
          );
      }
      return orGood(problems, 'closed');
    }),
};
