import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parse as parseDotenv } from 'dotenv';
import { type DeclaredSetting, declaredSettings, parseSetting } from './setting.js';

/** Names a further file of settings. */
const PROFILE_SETTING = 'ENV_FILE';

export type Environment = Record<string, string | undefined>;

export interface SettingFault {
  name: string;
  /** What was given; hidden for secrets. */
  value: string;
  problem: string;
}

/** All that is wrong with the settings, a line each: the name, the value and what would be right. */
export class SettingsError extends Error {
  readonly code = 'invalid_settings';

  constructor(readonly faults: readonly SettingFault[]) {
    super(`invalid settings:\n${faults.map((fault) => `  ${fault.name}=${fault.value}: ${fault.problem}`).join('\n')}`);
    this.name = 'SettingsError';
  }
}

/** A settings class may check what no single setting can tell. */
export interface ChecksItself {
  faults(): SettingFault[];
}

/**
 * The environment over the `.env` file of the folder, so that one run can override the file; and both over the file that `ENV_FILE` names,
 * relative to the folder: a profile that is kept as it is. What is empty is left out, as if it were not there.
 * @throws SettingsError where that one cannot be read
 */
export function readEnvironment(folder: string = process.cwd(), environment: Environment = process.env): Environment {
  const file = join(folder, '.env');
  const own = givenIn(existsSync(file) ? parseDotenv(readFileSync(file)) : {}, environment);
  const profile = own[PROFILE_SETTING];
  const all = profile === undefined ? own : givenIn(readProfile(folder, profile), own);
  delete all[PROFILE_SETTING];
  return all;
}

/** What the sources give, the later ones over the earlier ones. */
function givenIn(...sources: Environment[]): Environment {
  const given = sources.flatMap((source) => Object.entries(source));
  return Object.fromEntries(given.filter(([, value]) => value !== undefined && value.trim() !== ''));
}

function readProfile(folder: string, profile: string): Environment {
  try {
    return parseDotenv(readFileSync(resolve(folder, profile)));
  } catch (error) {
    const problem = `must name a readable file, as seen from ${resolve(folder)} (${(error as NodeJS.ErrnoException).code})`;
    throw new SettingsError([{ name: PROFILE_SETTING, value: profile, problem }]);
  }
}

/**
 * Reads every declared setting from `environment`; an empty value counts as unset.
 * @throws SettingsError with every fault, never only the first
 */
export function loadSettings<T extends object>(type: new () => T, environment: Environment): T {
  const settings = new type();
  const faults: SettingFault[] = [];
  const wrong: string[] = [];
  for (const setting of declaredSettings(type)) {
    const given = findGiven(setting, environment, faults);
    const text = given?.value ?? setting.default;
    if (text === undefined) continue;
    try {
      (settings as Record<string, unknown>)[setting.property] = parseSetting(setting, text);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      faults.push({ name: given?.name ?? setting.name, value: setting.secret ? '(hidden)' : text, problem: error.message });
      wrong.push(setting.name);
      // So that the others can still be checked against it.
      if (setting.default !== undefined) (settings as Record<string, unknown>)[setting.property] = parseSetting(setting, setting.default);
    }
  }
  if ('faults' in settings) {
    const further = (settings as unknown as ChecksItself).faults();
    faults.push(...further.filter(({ name, problem }) => !wrong.some((other) => name === other || problem.includes(other))));
  }
  if (faults.length > 0) throw new SettingsError(faults);
  return settings;
}

function findGiven(
  setting: DeclaredSetting,
  environment: Environment,
  faults: SettingFault[],
): { name: string; value: string } | undefined {
  for (const name of [setting.name, ...(setting.aliases ?? [])]) {
    const value = environment[name]?.trim();
    if (value) return { name, value };
    const file = setting.secret ? environment[`${name}_FILE`]?.trim() : undefined;
    if (!file) continue;
    try {
      const secret = readFileSync(file, 'utf8').trim();
      if (secret) return { name: `${name}_FILE`, value: secret };
      faults.push({ name: `${name}_FILE`, value: file, problem: 'must name a file that is not empty' });
    } catch (error) {
      faults.push({ name: `${name}_FILE`, value: file, problem: `must name a readable file (${(error as NodeJS.ErrnoException).code})` });
    }
    return undefined;
  }
  return undefined;
}
