/** What the settings alone tell. */
import type { Check } from '../check.js';
import { seconds } from '../units.js';
import { good, orGood, unknown, type Verdict, warning, wrong } from '../verdict.js';

/** Keys shorter than that can be guessed. */
const SHORT_KEY = 16;
/** The least that the troubleshooting guide leaves the proxy for one exchange. */
const LEAST_EXCHANGE_MS = 3_000;
/** Memory of one engine, as the profiles reckon. */
export const ENGINE_BYTES = 300e6;

export const settingsAreRight: Check = {
  id: 'settings',
  asks: 'Are the settings right?',
  look: ({ faults }) =>
    orGood(
      faults.map(({ name, value, problem }) =>
        wrong(`${name}=${value}: ${problem}`, `Correct ${name} in the environment or in .env; docs/configuration.md lists every setting.`),
      ),
      'every setting has a value that can be used',
    ),
};

export const keyIsThere: Check = {
  id: 'key',
  asks: 'Are the protected calls protected?',
  look: ({ settings, orchestrator }) => {
    if (settings === null) return [unknown('the settings are wrong')];
    if (settings.auth === 'open')
      return [warning('AUTH=open: whoever reaches the API may start and remove engines', 'Set AUTH=key and an API_KEY.')];
    if (settings.apiKey === undefined) {
      if (orchestrator.reached && orchestrator.keyTaken === null)
        return [unknown('no API_KEY is known here; the running orchestrator may have one of its own')];
      return [wrong('no API_KEY is set, so every protected call is refused with 401', 'Set API_KEY (`openssl rand -hex 24` makes one).')];
    }
    if (orchestrator.reached && orchestrator.keyTaken === false)
      return [
        wrong(
          'the orchestrator refuses the API_KEY that is set here',
          'It was started with another one: restart it, or use the key it was started with.',
        ),
      ];
    if (settings.apiKey.length < SHORT_KEY)
      return [warning(`API_KEY has ${settings.apiKey.length} characters and can be guessed`, '`openssl rand -hex 24` makes a better one.')];
    return [good('an API_KEY is set')];
  },
};

export const timeoutsLeaveTime: Check = {
  id: 'timeouts',
  asks: 'Are timeouts too aggressive?',
  look: ({ settings, proxySettings }) => {
    if (settings === null) return [unknown('the settings are wrong')];
    const problems: Verdict[] = [];
    if (proxySettings !== null && proxySettings.orchestratorTimeoutMs < LEAST_EXCHANGE_MS)
      problems.push(
        warning(
          `ACEXY_ORCH_TIMEOUT is ${seconds(proxySettings.orchestratorTimeoutMs)}: a busy orchestrator counts as away`,
          'Set ACEXY_ORCH_TIMEOUT=3s or more (10s under load).',
        ),
      );
    if (proxySettings !== null && proxySettings.startTimeoutMs <= settings.startupGraceMs)
      problems.push(
        warning(
          `ACEXY_START_TIMEOUT (${seconds(proxySettings.startTimeoutMs)}) is not longer than an engine may take to come up ` +
            `(PROVISION_STARTUP_GRACE_S, ${seconds(settings.startupGraceMs)})`,
          'Set ACEXY_START_TIMEOUT=60s or more.',
        ),
      );
    const oneStart = settings.startupTimeoutMs + settings.startupGraceMs;
    if (settings.provisionTimeoutMs < oneStart)
      problems.push(
        warning(
          `PROVISION_TIMEOUT_S (${seconds(settings.provisionTimeoutMs)}) ends a start before its two parts may have: ` +
            `STARTUP_TIMEOUT_S and PROVISION_STARTUP_GRACE_S are ${seconds(oneStart)} together`,
          'Set PROVISION_TIMEOUT_S=180.',
        ),
      );
    if (settings.apiLongOperationTimeoutMs < settings.apiRequestTimeoutMs)
      problems.push(
        warning(
          'API_LONG_OPERATION_TIMEOUT_S is shorter than API_REQUEST_TIMEOUT_S',
          'Set API_LONG_OPERATION_TIMEOUT_S to no less than API_REQUEST_TIMEOUT_S.',
        ),
      );
    return orGood(problems, 'no timeout is shorter than what it waits for');
  },
};

export const poolFitsItsPorts: Check = {
  id: 'engine-ports',
  asks: 'Are there ports for all engines?',
  look: ({ settings, machine, orchestrator }) => {
    if (settings === null) return [unknown('the settings are wrong')];
    const { first, last } = settings.portRangeHost;
    const engines = orchestrator.reached ? (orchestrator.scrape?.sum('orch_engines_lifecycle') ?? 0) : 0;
    const taken = Math.max(0, (machine.enginePortsTaken?.length ?? 0) - engines);
    const ports = last - first + 1;
    if (ports < settings.engineLimit)
      return [
        wrong(
          `PORT_RANGE_HOST=${first}-${last} has ${ports} ports for up to ${settings.engineLimit} engines`,
          'Make PORT_RANGE_HOST wider, or MAX_REPLICAS smaller.',
        ),
      ];
    if (ports - taken < 1)
      return [
        wrong(
          `other programs have all ${ports} ports of PORT_RANGE_HOST=${first}-${last}`,
          'Choose a PORT_RANGE_HOST that no other program uses.',
        ),
      ];
    return [good(`${ports} ports for up to ${settings.engineLimit} engines`)];
  },
};
