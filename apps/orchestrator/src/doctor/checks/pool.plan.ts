/** Engines: are there enough, do they come soon enough, are they well. */
import type { Check } from '../check.js';
import type { Facts, OrchestratorFacts } from '../facts.js';
import type { Scrape } from '../scrape.js';
import { percent, seconds } from '../units.js';
import { good, orGood, unknown, type Verdict, warning, wrong } from '../verdict.js';

/** Seconds from a wish to an engine that answers; real ones boot in 5 to 15. */
const SLOW_START_S = 30;
const LONG_QUEUE_S = 10;

type Reached = Extract<OrchestratorFacts, { reached: true }> & { scrape: Scrape };

function withOrchestrator({ orchestrator }: Facts, look: (orchestrator: Reached) => Verdict[]): Verdict[] {
  if (!orchestrator.reached) return [unknown('the orchestrator does not answer')];
  const { scrape } = orchestrator;
  return scrape === null ? [unknown('the orchestrator shows no metrics')] : look({ ...orchestrator, scrape });
}

export const enginesAreAvailable: Check = {
  id: 'no-engines',
  asks: '"No engines available": is there one for the next stream?',
  look: (facts) =>
    withOrchestrator(facts, ({ scrape, status }) => {
      const free = scrape.sum('orch_engines_use', { use: 'free' }) ?? 0;
      const least = scrape.sum('orch_pool_limit', { limit: 'min_free' }) ?? 0;
      const most = scrape.sum('orch_pool_limit', { limit: 'max' }) ?? 0;
      const all = scrape.sum('orch_engines_lifecycle') ?? 0;
      const waiting = scrape.sum('orch_leases_waiting') ?? 0;
      const blocked = status?.provisioning.blocked_reason ?? null;
      const pool = `${free} of ${all} engines are free (MIN_REPLICAS=${least}, MAX_REPLICAS=${most})`;
      if (free > 0 && waiting === 0)
        return free >= least || all >= most
          ? [good(pool)]
          : [warning(`${pool}: fewer than wanted`, 'More are being started, or cannot be: see the next answers.')];
      const lack = waiting > 0 ? `${waiting} streams wait for an engine; ${pool}` : pool;
      if (all >= most)
        return [
          wrong(`${lack}: the pool is full`, 'Raise MAX_REPLICAS with memory for it (a profile of deploy/profiles), or add a second host.'),
        ];
      if (blocked !== null)
        return [wrong(`${lack}, and none can be started: ${blocked}`, 'The answers on image, Docker, VPN and breaker say more.')];
      if (waiting > 0 || least > 0)
        return [warning(lack, 'Keep more ready: MIN_REPLICAS=5 and more, `POST /scale/10` before many come, AUTOSCALE_INTERVAL_S=20.')];
      return [good(`${pool}: the first stream starts one`)];
    }),
};

export const provisioningIsFast: Check = {
  id: 'slow-provisioning',
  asks: 'Do engines start soon enough?',
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
            '`docker compose logs orchestrator | grep "provisioning failed"` has the reasons.',
          ),
        );
      if (took !== null && took > SLOW_START_S)
        problems.push(
          warning(
            `an engine takes ${seconds(took * 1000)} to start, on average`,
            'Keep more ready (MIN_REPLICAS), and give Docker more processors; PROVISION_STARTUP_GRACE_S=45 for slow images.',
          ),
        );
      if (took === null && failed === 0) return [good('none was started since the orchestrator did')];
      return orGood(problems, `${done} started, in ${seconds((took ?? 0) * 1000)} on average`);
    }),
};

export const rateLimitFits: Check = {
  id: 'rate-limit',
  asks: 'Is the rate limit of provisioning too restrictive?',
  look: (facts) =>
    withOrchestrator(facts, ({ scrape, provisioning }) => {
      const wait = scrape.mean('orch_provision_queue_wait_seconds');
      const queued = provisioning?.queued ?? 0;
      const cure = 'Raise MAX_CONCURRENT_PROVISIONS (10), lower MIN_PROVISION_INTERVAL_S (0.2), as far as Docker keeps up.';
      if (queued > 0 && provisioning?.remaining === 0 && (wait ?? 0) > LONG_QUEUE_S)
        return [warning(`${queued} starts are queued, after ${seconds((wait ?? 0) * 1000)} of waiting on average`, cure)];
      if (wait !== null && wait > LONG_QUEUE_S) return [warning(`a start waits ${seconds(wait * 1000)} in the queue, on average`, cure)];
      return [good(`${queued} queued; a start waits ${seconds((wait ?? 0) * 1000)}, on average`)];
    }),
};

export const enginesAreHealthy: Check = {
  id: 'unhealthy-engines',
  asks: 'Are engines unhealthy?',
  look: (facts) =>
    withOrchestrator(facts, ({ scrape, health }) => {
      const ill = scrape.sum('orch_engines_total', { health_status: 'unhealthy' }) ?? 0;
      const well = scrape.sum('orch_engines_total', { health_status: 'healthy' }) ?? 0;
      if (ill === 0) return [good(`${well} healthy, none unhealthy`)];
      const cure =
        'They are replaced one by one. Sooner: `DELETE /containers/{id}`, or POST /gc; HEALTH_CHECK_INTERVAL_S=20 and HEALTH_CHECK_TIMEOUT_S=10 where they are only slow.';
      const marked = health?.marked_for_replacement ?? 0;
      const says = `${ill} of ${ill + well} engines are unhealthy, ${marked} of them are being replaced`;
      return [ill > well ? wrong(says, cure) : warning(says, cure)];
    }),
};

export const breakerIsClosed: Check = {
  id: 'circuit-breaker',
  asks: '"Circuit breaker opens frequently": is it closed, and does it stay so?',
  look: (facts) =>
    withOrchestrator(facts, ({ scrape, health }) => {
      const problems: Verdict[] = [];
      for (const [name, which] of [
        ['general', 'of starting engines'],
        ['replacement', 'of replacing engines'],
      ] as const) {
        const breaker = health?.circuit_breakers[name];
        const reason = breaker?.last_failure_reason ? `: ${breaker.last_failure_reason}` : '';
        const opened = scrape.sum('orch_circuit_breaker_opened_total', { operation_type: name }) ?? 0;
        if (breaker && breaker.state !== 'closed')
          problems.push(
            wrong(
              `the breaker ${which} is ${breaker.state}, the next try in ${breaker.recovery_eta_seconds} s${reason}`,
              `Mend what it says (the answers on Docker, image and disk say more), then POST /health/circuit-breaker/reset?operation_type=${name}.`,
            ),
          );
        else if (opened > 2)
          problems.push(
            warning(
              `the breaker ${which} has opened ${opened} times since the orchestrator started${reason}`,
              'See whether Docker is overloaded; if it is only sensitive, CIRCUIT_BREAKER_THRESHOLD=10 and CIRCUIT_BREAKER_TIMEOUT_S=300.',
            ),
          );
        else if (breaker && breaker.failure_count > 0)
          problems.push(
            warning(
              `${breaker.failure_count} of ${breaker.failure_threshold} failures in a row that open the breaker ${which}${reason}`,
              'Mend what it says before it opens.',
            ),
          );
      }
      return orGood(problems, 'closed');
    }),
};
