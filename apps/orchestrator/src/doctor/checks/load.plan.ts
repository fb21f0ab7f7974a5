/** Do the APIs answer fast, and do streams start? */
import { type Check, good, unknown, warning, wrong } from '../check.js';
import { percent, seconds } from '../units.js';

/** The APIs answer from memory: a slower answer means that the machine is overloaded. */
const SLOW_ANSWER_MS = 500;
const VERY_SLOW_ANSWER_MS = 3_000;
/** With fewer stream starts, a share of failures means nothing. */
const MIN_STARTS = 5;

export const LOAD_CHECKS: readonly Check[] = [
  {
    id: 'latency',
    question: 'Do the APIs answer fast?',
    *look({ orchestrator, proxy, proxySettings }) {
      const calls: [string, number][] = [];
      if (orchestrator.reached)
        calls.push(['GET /engines', orchestrator.latencyMs.engines], ['GET /streams', orchestrator.latencyMs.streams]);
      if (proxy.reached) calls.push(['GET /ace/status', proxy.latencyMs]);
      if (calls.length === 0) return unknown('neither service answers');
      for (const [call, ms] of calls)
        if (ms > SLOW_ANSWER_MS)
          yield (ms > VERY_SLOW_ANSWER_MS ? wrong : warning)(
            `${call} took ${seconds(ms)}`,
            'See the results for processor, memory and database. Poll less often: set ACEXY_ENGINE_CACHE_TTL_S=5, and send `If-None-Match` from your own scripts.',
          );
      if (proxySettings?.engineCacheTtlMs === 0)
        yield warning('ACEXY_ENGINE_CACHE_TTL_S=0: the engine list is requested at every stream start', 'Set ACEXY_ENGINE_CACHE_TTL_S=5.');
      return good(calls.map(([call, ms]) => `${call} ${seconds(ms)}`).join(', '));
    },
  },

  {
    id: 'streams-start',
    question: 'Do streams start?',
    *look({ proxy }) {
      if (!proxy.reached || proxy.scrape === null) return unknown('the proxy does not answer');
      const { scrape } = proxy;
      const of = (outcome: string): number => scrape.sum('acexy_starts_total', { outcome }) ?? 0;
      const [playing, noEngine, refused, silent] = [of('playing'), of('no_engine'), of('engines_refused'), of('engines_silent')];
      const all = playing + noEngine + refused + silent;
      const isBad = (failed: number): boolean => all >= MIN_STARTS && failed * 10 > all;
      const share = (failed: number): string => `${failed} of ${all} starts (${percent(failed, all)})`;
      if (isBad(noEngine))
        yield wrong(`${share(noEngine)} found no engine`, 'Raise MIN_REPLICAS and MAX_REPLICAS; see the result "no-engines".');
      if (isBad(silent))
        yield warning(
          `${share(silent)} received no byte from any engine`,
          'The contents may have no peers. Otherwise check the network of the engines (`docker exec ENGINE curl -I https://www.google.com`), the VPN, and ACEXY_FIRST_BYTE_TIMEOUT.',
        );
      if (isBad(refused))
        yield warning(
          `${share(refused)} were refused by the engines`,
          'The content ids may be wrong: the reply to the viewer (502) contains the message of the engine.',
        );
      return good(`${playing} of ${all} started`);
    },
  },
];
