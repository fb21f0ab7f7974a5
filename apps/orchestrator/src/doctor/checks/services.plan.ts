/** The two services: are they ready, and do they reach each other in time? */
import { type Check, type Findings, good, unknown, warning, wrong } from '../check.js';
import type { Facts } from '../facts.js';
import { bytes, seconds } from '../units.js';

/** Share of ACEXY_ORCH_TIMEOUT above which calls count as slow. */
const NEAR_LIMIT = 0.5;
/** Minimum ACEXY_ORCH_TIMEOUT of the troubleshooting guide. */
const MIN_ORCHESTRATOR_TIMEOUT_MS = 3_000;
const MAX_DATABASE_BYTES = 1e9;

export const SERVICE_CHECKS: readonly Check[] = [
  {
    id: 'orchestrator',
    question: 'Is the orchestrator ready?',
    look: ({ orchestrator }) =>
      isReady(
        orchestrator,
        'orchestrator',
        'the orchestrator is not ready',
        'It is starting, or a dependency is unreachable: see the results for Docker and disk.',
      ),
  },

  {
    id: 'database',
    question: 'Is the database small enough?',
    look({ orchestrator }) {
      if (!orchestrator.reached || orchestrator.scrape === null) return unknown('the orchestrator does not answer');
      const size = orchestrator.scrape.sum('orch_database_size_bytes', { file: 'main' }) ?? 0;
      const says = `the database has ${bytes(size)}`;
      if (size < MAX_DATABASE_BYTES) return good(says);
      return warning(
        says,
        'Keep less (STREAM_HISTORY_DAYS, STREAM_HISTORY_MAX, STATS_HISTORY_MAX), then POST /gc and VACUUM the database (docs/troubleshooting.md, 3B).',
      );
    },
  },

  {
    id: 'proxy',
    question: 'Is the proxy ready?',
    look: ({ proxy, otherProxies }) => {
      const state = isReady(proxy, 'proxy', 'the proxy accepts no viewers', 'It is shutting down: start it again.');
      return 'state' in state && state.state === 'good' && otherProxies.length > 0
        ? good(`all ${otherProxies.length + 1} replicas are ready`)
        : state;
    },
  },

  {
    id: 'link',
    question: 'Does the proxy reach the orchestrator, with the right key and in time?',
    *look({ proxy, orchestrator, proxySettings }) {
      if (!proxy.reached) return unknown('the proxy does not answer');
      if (proxy.orchestrator === 'not set')
        return wrong(
          'the proxy has no orchestrator: all streams use the fallback engine (ACEXY_HOST, ACEXY_PORT)',
          'Set ACEXY_ORCH_URL=http://orchestrator:8000 and ACEXY_ORCH_APIKEY.',
        );
      if (proxy.orchestrator === 'away')
        return wrong(
          `the proxy cannot reach its orchestrator (${proxySettings?.orchestratorUrl ?? 'ACEXY_ORCH_URL'})`,
          orchestrator.reached
            ? 'The doctor reaches the orchestrator, so the proxy uses another address or network: correct ACEXY_ORCH_URL (in compose http://orchestrator:8000), or raise ACEXY_ORCH_TIMEOUT.'
            : 'Start the orchestrator. Streams that play are not affected.',
        );
      const reports = (outcome: string): number =>
        proxy.scrape?.sum('acexy_orchestrator_call_seconds_count', { endpoint: 'report', outcome }) ?? 0;
      // Rejected reports may be old: they count only if no report was ever accepted.
      const rejected = reports('unauthorized') > 0 && reports('ok') === 0;
      const accepted = orchestrator.reached ? orchestrator.proxyKeyAccepted : null;
      if (proxy.orchestrator === 'unauthorized' || accepted === false || (accepted === null && rejected))
        yield wrong(
          'the orchestrator rejects the key of the proxy: no engine is leased, no stream is reported',
          'Set ACEXY_ORCH_APIKEY to the API_KEY of the orchestrator, and restart the proxy.',
        );
      const limitMs = proxySettings?.orchestratorTimeoutMs ?? Infinity;
      // Only reports are measured, because lease calls wait on purpose.
      const slowS = proxy.scrape?.quantile('acexy_orchestrator_call_seconds', 0.99, { endpoint: 'report', outcome: 'ok' }) ?? 0;
      if (slowS * 1000 > limitMs * NEAR_LIMIT)
        yield warning(
          `the slowest reports take ${slowS === Infinity ? 'more than 10 s' : seconds(slowS * 1000)}; the timeout is ${seconds(limitMs)} (ACEXY_ORCH_TIMEOUT)`,
          'Raise ACEXY_ORCH_TIMEOUT to 10s, and find out what slows the orchestrator down.',
        );
      return good('the proxy reaches the orchestrator');
    },
  },

  {
    id: 'versions',
    question: 'Do both services have the same version?',
    look({ version, orchestrator, proxy }) {
      const services = { orchestrator, proxy };
      const known = Object.entries(services).flatMap(([name, service]) =>
        service.reached && service.version !== null ? [{ name, version: service.version }] : [],
      );
      if (known.length === 0) return unknown('the versions are unknown');
      const says = known.map((service) => `${service.name} ${service.version}`).join(', ');
      if (new Set(known.map((service) => service.version)).size > 1)
        return warning(
          `different versions: ${says}`,
          'They work together within a major version. Upgrade both: `docker compose up -d --build`.',
        );
      if (known[0].version !== version) return warning(`${says}, and the doctor is ${version}`, 'Use the doctor of the running version.');
      return good(says);
    },
  },

  {
    id: 'timeouts',
    question: 'Are timeouts too short?',
    *look({ settings, proxySettings: proxy }) {
      if (settings === null) return unknown('the settings are invalid');
      if (proxy !== null && proxy.orchestratorTimeoutMs < MIN_ORCHESTRATOR_TIMEOUT_MS)
        yield warning(
          `ACEXY_ORCH_TIMEOUT is ${seconds(proxy.orchestratorTimeoutMs)}: a busy orchestrator counts as unreachable`,
          'Set ACEXY_ORCH_TIMEOUT=3s or more (10s under load).',
        );
      if (proxy !== null && proxy.startTimeoutMs <= settings.startupGraceMs)
        yield warning(
          `ACEXY_START_TIMEOUT (${seconds(proxy.startTimeoutMs)}) is not longer than the time that an engine may take to start ` +
            `(PROVISION_STARTUP_GRACE_S, ${seconds(settings.startupGraceMs)})`,
          'Set ACEXY_START_TIMEOUT=60s or more.',
        );
      const oneStart = settings.startupTimeoutMs + settings.startupGraceMs;
      if (settings.provisionTimeoutMs < oneStart)
        yield warning(
          `PROVISION_TIMEOUT_S (${seconds(settings.provisionTimeoutMs)}) is shorter than a start may take: ` +
            `STARTUP_TIMEOUT_S plus PROVISION_STARTUP_GRACE_S are ${seconds(oneStart)}`,
          'Set PROVISION_TIMEOUT_S=180.',
        );
      if (settings.apiLongOperationTimeoutMs < settings.apiRequestTimeoutMs)
        yield warning(
          'API_LONG_OPERATION_TIMEOUT_S is shorter than API_REQUEST_TIMEOUT_S',
          'Set API_LONG_OPERATION_TIMEOUT_S to at least API_REQUEST_TIMEOUT_S.',
        );
      return good('every timeout is long enough');
    },
  },
];

function isReady(service: Facts['orchestrator' | 'proxy'], name: 'orchestrator' | 'proxy', notReady: string, cure: string): Findings {
  const container = name === 'proxy' ? 'acexy' : name;
  if (!service.reached)
    return wrong(
      `the ${name} does not answer at ${service.url}: ${service.problem}`,
      `Start it (\`docker compose up -d ${container}\`, \`npm start\`); \`docker compose logs --tail=50 ${container}\` shows why it ended. ` +
        `If it runs elsewhere, run the doctor with --${name} URL.`,
    );
  const { status, problems } = service.ready;
  if (status === 200) return good(`ready at ${service.url}`);
  return wrong(`${notReady} (${status}): ${problems.join(', ') || 'no reason given'}`, cure);
}
