/** Faults that the settings alone show. */
import type { Check } from '../check.js';
import { seconds } from '../units.js';
import { good, orGood, unknown, type Verdict, warning, wrong } from '../verdict.js';

/** A shorter key can be guessed. */
const SHORT_KEY = 16;
/** Minimum ACEXY_ORCH_TIMEOUT of the troubleshooting guide. */
const MIN_ORCHESTRATOR_TIMEOUT_MS = 3_000;
/** Memory of one engine, as assumed by the profiles in deploy/profiles. */
export const ENGINE_BYTES = 300e6;

export const settingsAreValid: Check = {
  id: 'settings',
  question: 'Are the settings valid?',
  look: ({ faults }) =>
    orGood(
      faults.map(({ name, value, problem }) =>
        wrong(`${name}=${value}: ${problem}`, `Correct ${name} in the environment or in .env. docs/configuration.md lists every setting.`),
      ),
      'every setting is valid',
    ),
};

export const apiKeyIsSet: Check = {
  id: 'key',
  question: 'Are the protected calls protected?',
  look: ({ settings, orchestrator }) => {
    if (settings === null) return [unknown('the settings are invalid')];
    if (settings.auth === 'open')
      return [warning('AUTH=open: everybody who can reach the API may start and remove engines', 'Set AUTH=key and an API_KEY.')];
    if (settings.apiKey === undefined) {
      if (orchestrator.reached && orchestrator.keyAccepted === null)
        return [unknown('no API_KEY is set here; the running orchestrator may have one')];
      return [wrong('API_KEY is not set, so every protected call gets 401', 'Set API_KEY (`openssl rand -hex 24` creates one).')];
    }
    if (orchestrator.reached && orchestrator.keyAccepted === false)
      return [
        wrong(
          'the orchestrator rejects the API_KEY that is set here',
          'The orchestrator was started with another key: restart it, or use that key.',
        ),
      ];
    if (settings.apiKey.length < SHORT_KEY)
      return [
        warning(`API_KEY has ${settings.apiKey.length} characters and can be guessed`, 'Create a better one with `openssl rand -hex 24`.'),
      ];
    return [good('an API_KEY is set')];
  },
};

export const timeoutsAreLongEnough: Check = {
  id: 'timeouts',
  question: 'Are timeouts too short?',
  look: ({ settings, proxySettings }) => {
    if (settings === null) return [unknown('the settings are invalid')];
    const problems: Verdict[] = [];
    if (proxySettings !== null && proxySettings.orchestratorTimeoutMs < MIN_ORCHESTRATOR_TIMEOUT_MS)
      problems.push(
        warning(
          `ACEXY_ORCH_TIMEOUT is ${seconds(proxySettings.orchestratorTimeoutMs)}: a busy orchestrator counts as unreachable`,
          'Set ACEXY_ORCH_TIMEOUT=3s or more (10s under load).',
        ),
      );
    if (proxySettings !== null && proxySettings.startTimeoutMs <= settings.startupGraceMs)
      problems.push(
        warning(
          `ACEXY_START_TIMEOUT (${seconds(proxySettings.startTimeoutMs)}) is not longer than the time that an engine may take to start ` +
            `(PROVISION_STARTUP_GRACE_S, ${seconds(settings.startupGraceMs)})`,
          'Set ACEXY_START_TIMEOUT=60s or more.',
        ),
      );
    const oneStart = settings.startupTimeoutMs + settings.startupGraceMs;
    if (settings.provisionTimeoutMs < oneStart)
      problems.push(
        warning(
          `PROVISION_TIMEOUT_S (${seconds(settings.provisionTimeoutMs)}) is shorter than a start may take: ` +
            `STARTUP_TIMEOUT_S plus PROVISION_STARTUP_GRACE_S are ${seconds(oneStart)}`,
          'Set PROVISION_TIMEOUT_S=180.',
        ),
      );
    if (settings.apiLongOperationTimeoutMs < settings.apiRequestTimeoutMs)
      problems.push(
        warning(
          'API_LONG_OPERATION_TIMEOUT_S is shorter than API_REQUEST_TIMEOUT_S',
          'Set API_LONG_OPERATION_TIMEOUT_S to at least API_REQUEST_TIMEOUT_S.',
        ),
      );
    return orGood(problems, 'every timeout is long enough');
  },
};

export const poolFitsItsPorts: Check = {
  id: 'engine-ports',
  question: 'Are there ports for all engines?',
  look: ({ settings, machine, orchestrator }) => {
    if (settings === null) return [unknown('the settings are invalid')];
    const { first, last } = settings.portRangeHost;
    const engines = orchestrator.reached ? (orchestrator.scrape?.sum('orch_engines_lifecycle') ?? 0) : 0;
    const taken = Math.max(0, (machine.enginePortsTaken?.length ?? 0) - engines);
    const ports = last - first + 1;
    if (ports < settings.engineLimit)
      return [
        wrong(
          `PORT_RANGE_HOST=${first}-${last} has ${ports} ports for up to ${settings.engineLimit} engines`,
          'Extend PORT_RANGE_HOST, or lower MAX_REPLICAS.',
        ),
      ];
    if (ports - taken < 1)
      return [
        wrong(
          `other programs use all ${ports} ports of PORT_RANGE_HOST=${first}-${last}`,
          'Choose a PORT_RANGE_HOST that no other program uses.',
        ),
      ];
    return [good(`${ports} ports for up to ${settings.engineLimit} engines`)];
  },
};
