/** Are the settings valid and safe? */
import { type Check, good, unknown, warning, wrong } from '../check.js';

/** A shorter key can be guessed. */
const SHORT_KEY = 16;

export const SETTINGS_CHECKS: readonly Check[] = [
  {
    id: 'settings',
    question: 'Are the settings valid?',
    *look({ faults, remarks }) {
      for (const { name, value, problem } of faults)
        yield wrong(
          `${name}=${value}: ${problem}`,
          `Correct ${name} in the environment or in .env. docs/configuration.md lists every setting.`,
        );
      for (const remark of remarks)
        if (remark.kind === 'unknown')
          yield warning(
            `${remark.name} is not a setting, so its value has no effect`,
            remark.nearest === null
              ? `Remove ${remark.name}, or correct its name. docs/configuration.md lists every setting.`
              : `Did you mean ${remark.nearest}? docs/configuration.md lists every setting.`,
          );
      return good('every setting is valid');
    },
  },

  {
    id: 'key',
    question: 'Do protected calls require a key?',
    look({ settings, orchestrator }) {
      if (settings === null) return unknown('the settings are invalid');
      if (settings.auth === 'open')
        return warning('AUTH=open: everybody who can reach the API may start and remove engines', 'Set AUTH=key and an API_KEY.');
      const accepted = orchestrator.reached ? orchestrator.keyAccepted : undefined;
      if (settings.apiKey === undefined) {
        if (accepted === null) return unknown('no API_KEY is set here; the running orchestrator may have one');
        return wrong('API_KEY is not set, so every protected call gets 401', 'Set API_KEY (`openssl rand -hex 24` creates one).');
      }
      if (accepted === false)
        return wrong(
          'the orchestrator rejects the API_KEY that is set here',
          'The orchestrator was started with another key: restart it, or use that key.',
        );
      if (settings.apiKey.length < SHORT_KEY)
        return warning(
          `API_KEY has ${settings.apiKey.length} characters and can be guessed`,
          'Create a better one with `openssl rand -hex 24`.',
        );
      return good('an API_KEY is set');
    },
  },
];
