/** The two services: are they ready, and do they reach each other. */
import type { Check } from '../check.js';
import { bytes, seconds } from '../units.js';
import { good, orGood, unknown, type Verdict, warning, wrong } from '../verdict.js';

/** Share of ACEXY_ORCH_TIMEOUT above which calls count as slow. */
const NEAR_LIMIT = 0.5;
const MAX_DATABASE_BYTES = 1e9;

export const orchestratorIsReady: Check = {
  id: 'orchestrator',
  question: 'Is the orchestrator ready?',
  look: ({ orchestrator }) => {
    if (!orchestrator.reached)
      return [
        wrong(
          `the orchestrator does not answer at ${orchestrator.url}: ${orchestrator.problem}`,
          'Start it (`docker compose up -d orchestrator`, `npm start`); `docker compose logs --tail=50 orchestrator` shows why it ended. If it runs elsewhere: --orchestrator URL.',
        ),
      ];
    const { status, problems } = orchestrator.ready;
    if (status === 200) return [good(`ready at ${orchestrator.url}`)];
    return [
      wrong(
        `the orchestrator is not ready (${status}): ${problems.join(', ') || 'no reason given'}`,
        'It is starting, or a dependency is unreachable: see the results for Docker and disk.',
      ),
    ];
  },
};

export const databaseIsSmall: Check = {
  id: 'database',
  question: 'Is the database small enough?',
  look: ({ orchestrator }) => {
    if (!orchestrator.reached || orchestrator.scrape === null) return [unknown('the orchestrator does not answer')];
    const size = orchestrator.scrape.sum('orch_database_size_bytes', { file: 'main' }) ?? 0;
    if (size < MAX_DATABASE_BYTES) return [good(`the database has ${bytes(size)}`)];
    return [
      warning(
        `the database has ${bytes(size)}`,
        'Keep less (STREAM_HISTORY_DAYS, STREAM_HISTORY_MAX, STATS_HISTORY_MAX), then POST /gc and `sqlite3 orchestrator.db VACUUM`.',
      ),
    ];
  },
};

export const proxyIsReady: Check = {
  id: 'proxy',
  question: 'Is the proxy ready?',
  look: ({ proxy }) => {
    if (!proxy.reached)
      return [
        wrong(
          `the proxy does not answer at ${proxy.url}: ${proxy.problem}`,
          'Start it (`docker compose up -d acexy`, `npm start`); `docker compose logs --tail=50 acexy` shows why it ended. If it runs elsewhere: --proxy URL.',
        ),
      ];
    if (proxy.ready.status === 200) return [good(`ready at ${proxy.url}`)];
    return [
      wrong(
        `the proxy accepts no viewers (${proxy.ready.status}): ${proxy.ready.problems.join(', ')}`,
        'It is shutting down: start it again.',
      ),
    ];
  },
};

export const servicesFindEachOther: Check = {
  id: 'link',
  question: 'Does the proxy reach the orchestrator, with the right key and in time?',
  look: ({ proxy, orchestrator, proxySettings }) => {
    if (!proxy.reached) return [unknown('the proxy does not answer')];
    const url = proxySettings?.orchestratorUrl ?? 'ACEXY_ORCH_URL';
    if (proxy.orchestrator === 'not set')
      return [
        wrong(
          'the proxy has no orchestrator: all streams use the fallback engine (ACEXY_HOST, ACEXY_PORT)',
          'Set ACEXY_ORCH_URL=http://orchestrator:8000 and ACEXY_ORCH_APIKEY.',
        ),
      ];
    if (proxy.orchestrator === 'away')
      return [
        wrong(
          `the proxy cannot reach its orchestrator (${url})`,
          orchestrator.reached
            ? 'It answers from here, so the proxy uses another address or network: correct ACEXY_ORCH_URL (in compose http://orchestrator:8000), or raise ACEXY_ORCH_TIMEOUT.'
            : 'Start the orchestrator. Streams that play are not affected.',
        ),
      ];
    const problems: Verdict[] = [];
    const reports = (outcome: string): number =>
      proxy.scrape?.sum('acexy_orchestrator_call_seconds_count', { endpoint: 'report', outcome }) ?? 0;
    // Rejected reports may be from the past, unless none was ever accepted.
    const rejected = reports('unauthorized') > 0 && reports('ok') === 0;
    const accepted = orchestrator.reached ? orchestrator.proxyKeyAccepted : null;
    if (accepted === false || (accepted === null && rejected))
      problems.push(
        wrong(
          'the orchestrator rejects the key of the proxy: no engine is leased, no stream is reported',
          'Set ACEXY_ORCH_APIKEY to the API_KEY of the orchestrator, and restart the proxy.',
        ),
      );
    const limit = proxySettings?.orchestratorTimeoutMs ?? null;
    // Only reports are measured, because lease calls wait on purpose.
    const slow = proxy.scrape?.quantile('acexy_orchestrator_call_seconds', 0.99, { endpoint: 'report', outcome: 'ok' }) ?? null;
    if (limit !== null && slow !== null && slow * 1000 > limit * NEAR_LIMIT)
      problems.push(
        warning(
          `one call in a hundred takes ${slow === Infinity ? 'more than 10 s' : `up to ${seconds(slow * 1000)}`}; the timeout is ${seconds(limit)} (ACEXY_ORCH_TIMEOUT)`,
          'Raise ACEXY_ORCH_TIMEOUT to 10s, and find out what slows the orchestrator down.',
        ),
      );
    return orGood(problems, 'the proxy reaches the orchestrator');
  },
};

export const versionsAgree: Check = {
  id: 'versions',
  question: 'Do both services have the same version?',
  look: ({ version, orchestrator, proxy }) => {
    const seen: [string, string | null][] = [
      ['orchestrator', orchestrator.reached ? orchestrator.version : null],
      ['proxy', proxy.reached ? proxy.version : null],
    ];
    const known = seen.filter((each): each is [string, string] => each[1] !== null);
    if (known.length === 0) return [unknown('the versions are unknown')];
    const says = known.map(([name, own]) => `${name} ${own}`).join(', ');
    if (new Set(known.map(([, own]) => own)).size > 1)
      return [
        warning(`different versions: ${says}`, 'They work together within a major version. Upgrade both: `docker compose up -d --build`.'),
      ];
    if (known[0][1] !== version) return [warning(`${says}, and the doctor is ${version}`, 'Use the doctor of the running version.')];
    return [good(says)];
  },
};
