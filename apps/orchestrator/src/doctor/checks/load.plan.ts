/** How fast the API answers, and whether streams start and stay. */
import type { Check } from '../check.js';
import { percent, seconds } from '../units.js';
import { good, orGood, unknown, type Verdict, warning, wrong } from '../verdict.js';

/** The API answers from memory: anything longer is a machine that has no time. */
const SLOW_ANSWER_MS = 500;
const VERY_SLOW_ANSWER_MS = 3_000;
/** Starts of streams before a share of them says anything. */
const ENOUGH_STARTS = 5;

export const apiIsFast: Check = {
  id: 'latency',
  asks: '"High latency": do the APIs answer fast?',
  look: ({ orchestrator, proxy, proxySettings }) => {
    const problems: Verdict[] = [];
    const calls: [string, number][] = [
      ...(orchestrator.reached
        ? ([
            ['GET /engines', orchestrator.latencyMs.engines],
            ['GET /streams', orchestrator.latencyMs.streams],
          ] as [string, number][])
        : []),
      ...(proxy.reached ? [['GET /ace/status', proxy.latencyMs] as [string, number]] : []),
    ];
    if (calls.length === 0) return [unknown('neither service answers')];
    for (const [call, ms] of calls) {
      if (ms <= SLOW_ANSWER_MS) continue;
      const says = `${call} took ${seconds(ms)}`;
      const cure = 'See processor, memory and database above; ask less often (ACEXY_ENGINE_CACHE_TTL_S=5, ETags).';
      problems.push(ms > VERY_SLOW_ANSWER_MS ? wrong(says, cure) : warning(says, cure));
    }
    const slow = orchestrator.reached
      ? (orchestrator.scrape?.quantile('orch_api_duration_seconds', 0.99, { endpoint: '/engines' }) ?? null)
      : null;
    if (slow !== null && slow > 1)
      problems.push(
        warning(
          `one GET /engines in a hundred took up to ${slow === Infinity ? 'very long' : seconds(slow * 1000)} since the orchestrator started`,
          'Watch it under load: `curl -s http://localhost:8000/metrics | grep orch_api_duration_seconds`.',
        ),
      );
    if (proxySettings?.engineCacheTtlMs === 0)
      problems.push(
        warning('ACEXY_ENGINE_CACHE_TTL_S=0: the engine list is asked for with every start', 'Set ACEXY_ENGINE_CACHE_TTL_S=5.'),
      );
    return orGood(problems, calls.map(([call, ms]) => `${call} ${seconds(ms)}`).join(', '));
  },
};

export const streamsStart: Check = {
  id: 'streams-start',
  asks: '"Streams fail to start": do they?',
  look: ({ proxy }) => {
    if (!proxy.reached || proxy.scrape === null) return [unknown('the proxy does not answer')];
    const { scrape } = proxy;
    const of = (outcome: string): number => scrape.sum('acexy_starts_total', { outcome }) ?? 0;
    const [playing, noEngine, refused, silent] = [of('playing'), of('no_engine'), of('engines_refused'), of('engines_silent')];
    const all = playing + noEngine + refused + silent;
    const lost = scrape.sum('acexy_failovers_total', { outcome: 'given-up' });
    const problems: Verdict[] = [];
    const share = (failed: number): string => `${failed} of ${all} starts (${percent(failed, all)})`;
    const bad = (failed: number): boolean => all >= ENOUGH_STARTS && failed * 10 > all;
    if (bad(noEngine))
      problems.push(
        wrong(`${share(noEngine)} found no engine`, 'Keep more engines ready: MIN_REPLICAS, MAX_REPLICAS; see "no engines available".'),
      );
    if (bad(silent))
      problems.push(
        warning(
          `${share(silent)} got no byte from any engine`,
          'The contents may have no peers. Else: the network of the engines (`docker exec ENGINE curl -I https://www.google.com`), the VPN, ACEXY_FIRST_BYTE_TIMEOUT.',
        ),
      );
    if (bad(refused))
      problems.push(
        warning(
          `${share(refused)} were refused by the engines`,
          "The content ids may be wrong: the answer to the viewer (502) has the engine's words.",
        ),
      );
    if (lost)
      problems.push(
        warning(
          `${lost} streams ended because no engine could carry them on`,
          'More free engines (MIN_REPLICAS), more patience (ACEXY_EMPTY_TIMEOUT); "failover" in the log of the proxy tells of each.',
        ),
      );
    return orGood(problems, `${playing} of ${all} started, none was lost`);
  },
};

export const viewersKeepUp: Check = {
  id: 'viewers',
  asks: 'Do viewers get their streams in time?',
  look: ({ proxy }) => {
    if (!proxy.reached || proxy.scrape === null) return [unknown('the proxy does not answer')];
    const { scrape } = proxy;
    const viewers = scrape.sum('acexy_viewers') ?? 0;
    const slow = scrape.sum('acexy_viewers_ended_total', { reason: 'too-slow' }) ?? 0;
    const lag = scrape.sum('acexy_viewer_lag_seconds_max') ?? 0;
    if (slow > 0)
      return [
        warning(
          `${slow} viewers were let go because they were too slow`,
          'Their network or machine does not keep up; ACEXY_MAX_SKIPS and ACEXY_BUFFER_SECONDS give them more room.',
        ),
      ];
    return [good(`${viewers} viewers, ${lag.toFixed(1)} s behind at most`)];
  },
};
