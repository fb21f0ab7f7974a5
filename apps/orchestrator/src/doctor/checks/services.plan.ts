/** Whether the two services are there, are ready, and find each other. */
import type { Check } from '../check.js';
import { seconds } from '../units.js';
import { good, orGood, unknown, type Verdict, warning, wrong } from '../verdict.js';

/** Of the limit of one exchange. */
const NEAR_LIMIT = 0.5;

export const orchestratorIsReady: Check = {
  id: 'orchestrator',
  asks: 'Does the orchestrator answer, and is it ready?',
  look: ({ orchestrator }) => {
    if (!orchestrator.reached)
      return [
        wrong(
          `the orchestrator does not answer at ${orchestrator.url}: ${orchestrator.problem}`,
          'Start it (`docker compose up -d orchestrator`, `npm start`); `docker compose logs --tail=50 orchestrator` says why it ended. Is it elsewhere? --orchestrator URL.',
        ),
      ];
    const { status, problems } = orchestrator.ready;
    if (status === 200) return [good(`ready at ${orchestrator.url}`)];
    return [
      wrong(
        `the orchestrator is not ready (${status}): ${problems.join(', ') || 'it does not say why'}`,
        'It is starting, or what it needs is away: Docker and the database are looked at here, too.',
      ),
    ];
  },
};

export const databaseWorks: Check = {
  id: 'database',
  asks: 'Is the database well, and small enough?',
  look: ({ orchestrator }) => {
    if (!orchestrator.reached || orchestrator.scrape === null) return [unknown('the orchestrator does not answer')];
    const { scrape } = orchestrator;
    const problems: Verdict[] = [];
    const errors = scrape.sum('orch_database_write_errors_total') ?? 0;
    if (errors > 0)
      problems.push(
        wrong(
          `${errors} writes to the database failed`,
          '`grep database` in its log has the reason; `sqlite3 orchestrator.db "PRAGMA integrity_check"` says whether the file is sound.',
        ),
      );
    const commit = scrape.mean('orch_database_commit_seconds') ?? 0;
    if (commit > 0.25)
      problems.push(
        warning(`a commit takes ${seconds(commit * 1000)} on average`, 'Put the database (DB_URL) on a faster or less busy disk.'),
      );
    const waiting = scrape.sum('orch_database_queue_waiting') ?? 0;
    if (waiting > 1000)
      problems.push(warning(`${waiting} writes wait`, 'Something holds the database: end other programs that use the file.'));
    const size = scrape.sum('orch_database_size_bytes', { file: 'main' }) ?? 0;
    if (size > 1e9)
      problems.push(
        warning(
          `the database has ${(size / 1e9).toFixed(1)} GB`,
          'Keep less (STREAM_HISTORY_DAYS, STREAM_HISTORY_MAX, STATS_HISTORY_MAX), then POST /gc and `sqlite3 orchestrator.db VACUUM`.',
        ),
      );
    return orGood(problems, `${(size / 1e6).toFixed(1)} MB, no failed write`);
  },
};

export const proxyIsReady: Check = {
  id: 'proxy',
  asks: 'Does the proxy answer, and is it ready?',
  look: ({ proxy }) => {
    if (!proxy.reached)
      return [
        wrong(
          `the proxy does not answer at ${proxy.url}: ${proxy.problem}`,
          'Start it (`docker compose up -d acexy`, `npm start`); `docker compose logs --tail=50 acexy` says why it ended. Is it elsewhere? --proxy URL.',
        ),
      ];
    if (proxy.ready.status === 200) return [good(`ready at ${proxy.url}`)];
    return [
      wrong(`the proxy takes no viewers (${proxy.ready.status}): ${proxy.ready.problems.join(', ')}`, 'It is ending: start it again.'),
    ];
  },
};

export const servicesFindEachOther: Check = {
  id: 'link',
  asks: 'Does the proxy reach the orchestrator, with the right key, in time?',
  look: ({ proxy, orchestrator, proxySettings }) => {
    if (!proxy.reached) return [unknown('the proxy does not answer')];
    const url = proxySettings?.orchestratorUrl ?? 'ACEXY_ORCH_URL';
    if (proxy.orchestrator === 'not set')
      return [
        wrong(
          'the proxy has no orchestrator: all streams go to the one fallback engine (ACEXY_HOST, ACEXY_PORT)',
          'Set ACEXY_ORCH_URL=http://orchestrator:8000 and ACEXY_ORCH_APIKEY.',
        ),
      ];
    if (proxy.orchestrator === 'away')
      return [
        wrong(
          `the proxy does not reach its orchestrator (${url})`,
          orchestrator.reached
            ? 'It answers from here, so the proxy has another address or network: correct ACEXY_ORCH_URL (in compose http://orchestrator:8000), or raise ACEXY_ORCH_TIMEOUT.'
            : 'Start the orchestrator. What plays goes on meanwhile.',
        ),
      ];
    const problems: Verdict[] = [];
    const reports = (outcome: string): number =>
      proxy.scrape?.sum('acexy_orchestrator_call_seconds_count', { endpoint: 'report', outcome }) ?? 0;
    // Of the past, unless none was ever taken.
    const refused = reports('unauthorized') > 0 && reports('ok') === 0;
    const taken = orchestrator.reached ? orchestrator.proxyKeyTaken : null;
    if (taken === false || (taken === null && refused))
      problems.push(
        wrong(
          'the orchestrator refuses the key of the proxy: no engine is leased, no stream is reported',
          'Set ACEXY_ORCH_APIKEY to the API_KEY of the orchestrator, and restart the proxy.',
        ),
      );
    const limit = proxySettings?.orchestratorTimeoutMs ?? null;
    // Of the reports: a lease waits on purpose.
    const slow = proxy.scrape?.quantile('acexy_orchestrator_call_seconds', 0.99, { endpoint: 'report', outcome: 'ok' }) ?? null;
    if (limit !== null && slow !== null && slow * 1000 > limit * NEAR_LIMIT)
      problems.push(
        warning(
          `one call in a hundred takes up to ${slow === Infinity ? 'more than 10 s' : seconds(slow * 1000)}, of ${seconds(limit)} (ACEXY_ORCH_TIMEOUT)`,
          'Raise ACEXY_ORCH_TIMEOUT to 10s, and see what slows the orchestrator down.',
        ),
      );
    return orGood(problems, 'it does');
  },
};

export const versionsAgree: Check = {
  id: 'versions',
  asks: 'Are both services of the same version?',
  look: ({ version, orchestrator, proxy }) => {
    const seen: [string, string | null][] = [
      ['orchestrator', orchestrator.reached ? orchestrator.version : null],
      ['proxy', proxy.reached ? proxy.version : null],
    ];
    const told = seen.filter((each): each is [string, string] => each[1] !== null);
    if (told.length === 0) return [unknown('neither tells its version')];
    const says = told.map(([name, own]) => `${name} ${own}`).join(', ');
    if (new Set(told.map(([, own]) => own)).size > 1)
      return [
        warning(`different versions: ${says}`, 'They work together within a major version; upgrade both: `docker compose up -d --build`.'),
      ];
    if (told[0][1] !== version) return [warning(`${says}, and the doctor is ${version}`, 'Use the doctor of the running version.')];
    return [good(says)];
  },
};
