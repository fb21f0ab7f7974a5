import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parse as parseDotenv } from 'dotenv';
import { CodedError } from '../primitives/coded-error.js';
import { type DeclaredSetting, declaredSettings, parseSetting } from './setting.js';
import { type SettingRemark, unknownSettings } from './setting-remarks.js';

/** Names another file with settings. */
const PROFILE_SETTING = 'ENV_FILE';

/** Exit code for invalid settings, EX_CONFIG of sysexits.h: the supervisor does not restart the service, because that would not help. */
export const EXIT_CONFIG = 78;

export type Environment = Record<string, string | undefined>;

export interface SettingFault {
  name: string;
  /** The invalid value; hidden for secrets. */
  value: string;
  problem: string;
  /** The setting that gives way if the operator has not set it, and its value then: a default must not prevent a start. */
  instead?: { name: string; value: string };
}

/** All faults in the settings. The message has a line for each: name, value and what is valid. */
export class SettingsError extends CodedError {
  readonly code = 'invalid_settings';

  constructor(readonly faults: readonly SettingFault[]) {
    super(`invalid settings:\n${faults.map((fault) => `  ${fault.name}=${fault.value}: ${fault.problem}`).join('\n')}`);
  }
}

/** A settings group that checks its settings against each other. */
export interface ChecksItself {
  faults(): SettingFault[];
}

export type SettingsClass<T extends object = object> = new () => T;

/** The values of all these groups in one type. */
export type ValuesOf<Groups extends readonly SettingsClass[]> = Intersection<InstanceType<Groups[number]>>;
/** `A & B` for the union `A | B`: one function that stands for several must accept the parameters of all. */
type Intersection<Union> = (Union extends unknown ? (one: Union) => void : never) extends (all: infer All) => void ? All : never;

/** The settings groups of a service in the order of the documentation, and a check of settings in different groups. */
export interface SettingsDefinition {
  groups: readonly SettingsClass[];
  faultsBetween?: (settings: LoadedSettings) => SettingFault[];
  /** How the names of this service begin, if they all do. */
  prefix?: string;
  /** Names that begin so and are read by others, such as the compose files. */
  readByOthers?: readonly string[];
}

/** All settings groups of a service with their values. */
export class LoadedSettings {
  constructor(
    private readonly groups: ReadonlyMap<SettingsClass, object>,
    /** Unknown names, and defaults that gave way to values of the operator. */
    readonly remarks: readonly SettingRemark[] = [],
  ) {}

  /** @throws Error when the service does not list the group */
  of<T extends object>(group: SettingsClass<T>): T {
    const settings = this.groups.get(group);
    if (settings === undefined) throw new Error(`${group.name} is missing in the settings definition of the service: add it there`);
    return settings as T;
  }

  /** All values by property name, for reports and scripts. */
  get values(): Record<string, unknown> {
    return Object.assign({}, ...this.groups.values()) as Record<string, unknown>;
  }

  /** Providers for a Nest module: each group is injected by its class. */
  get providers(): { provide: SettingsClass; useValue: object }[] {
    return [...this.groups].map(([provide, useValue]) => ({ provide, useValue }));
  }
}

/**
 * Merges the environment, the `.env` file of the folder and the file that `ENV_FILE` names (relative to the folder), in this order of priority.
 * Empty values count as unset.
 * @throws SettingsError when the file of `ENV_FILE` cannot be read
 */
export function readEnvironment(folder: string = process.cwd(), environment: Environment = process.env): Environment {
  const file = join(folder, '.env');
  const own = mergeSet(existsSync(file) ? parseDotenv(readFileSync(file)) : {}, environment);
  const profile = own[PROFILE_SETTING];
  const all = profile === undefined ? own : mergeSet(readProfile(folder, profile), own);
  delete all[PROFILE_SETTING];
  return all;
}

/** Merges the values that are not empty. Later sources have priority. */
function mergeSet(...sources: Environment[]): Environment {
  const entries = sources.flatMap((source) => Object.entries(source));
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined && value.trim() !== ''));
}

function readProfile(folder: string, profile: string): Environment {
  try {
    return parseDotenv(readFileSync(resolve(folder, profile)));
  } catch (error) {
    const problem = `must name a readable file; a relative path starts at ${resolve(folder)} (${(error as NodeJS.ErrnoException).code})`;
    throw new SettingsError([{ name: PROFILE_SETTING, value: profile, problem }]);
  }
}

/**
 * Reads every setting of every group from `environment`. An empty value counts as unset.
 * @throws SettingsError with every fault of all groups
 */
export function loadAllSettings(definition: SettingsDefinition, environment: Environment): LoadedSettings {
  const { groups, faultsBetween } = definition;
  const reader = new SettingsReader(environment);
  const settings = new LoadedSettings(new Map(groups.map((group) => [group, reader.read(group)])), reader.remarks);
  if (faultsBetween) reader.addFaults(faultsBetween(settings));
  reader.throwFaults();
  reader.remarks.push(...remarksOnNames(definition, environment));
  return settings;
}

/** Names in the environment that look like settings of the service and are none. */
export function remarksOnNames({ groups, prefix, readByOthers }: SettingsDefinition, environment: Environment): SettingRemark[] {
  const set = Object.keys(environment).filter((name) => environment[name]?.trim());
  return unknownSettings(set, namesOf(groups), prefix, readByOthers);
}

/** Every name that the settings of these groups may have in the environment. */
export function namesOf(groups: readonly SettingsClass[]): string[] {
  return groups
    .flatMap(declaredSettings)
    .flatMap(({ name, aliases = [], secret }) => [name, ...aliases].flatMap((each) => (secret ? [each, `${each}_FILE`] : [each])));
}

/** Reads one group on its own. @throws SettingsError with every fault */
export function loadSettings<T extends object>(group: SettingsClass<T>, environment: Environment): T {
  const reader = new SettingsReader(environment);
  const settings = reader.read(group);
  reader.throwFaults();
  return settings;
}

class SettingsReader {
  private readonly faults: SettingFault[] = [];
  /** Names of settings with an invalid value. Further faults that mention them are consequences and are not reported. */
  private readonly invalid: string[] = [];
  /** By name of the setting: those that have their default, with the object that has the value. */
  private readonly defaults = new Map<string, { setting: DeclaredSetting; values: Record<string, unknown> }>();
  readonly remarks: SettingRemark[] = [];

  constructor(private readonly environment: Environment) {}

  read<T extends object>(group: SettingsClass<T>): T {
    const settings = new group();
    for (const setting of declaredSettings(group)) {
      const given = findGiven(setting, this.environment, this.faults);
      const text = given?.value ?? setting.default;
      if (text === undefined) continue;
      const values = settings as Record<string, unknown>;
      if (given === undefined) this.defaults.set(setting.name, { setting, values });
      try {
        values[setting.property] = parseSetting(setting, text);
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        this.faults.push({ name: given?.name ?? setting.name, value: setting.secret ? '(hidden)' : text, problem: error.message });
        this.invalid.push(setting.name);
        // Other settings are checked against the default instead.
        if (setting.default !== undefined) values[setting.property] = parseSetting(setting, setting.default);
      }
    }
    if ('faults' in settings) this.addFaults((settings as unknown as ChecksItself).faults());
    return settings;
  }

  addFaults(faults: readonly SettingFault[]): void {
    const own = faults.filter(({ name, problem }) => !this.invalid.some((other) => name === other || problem.includes(other)));
    for (const fault of own) if (!this.givesWay(fault)) this.faults.push({ name: fault.name, value: fault.value, problem: fault.problem });
  }

  /** Whether the fault is only a default of another setting, which then gets the value that fits. */
  private givesWay({ name, problem, instead }: SettingFault): boolean {
    const found = instead && this.defaults.get(instead.name);
    if (!found) return false;
    try {
      found.values[found.setting.property] = parseSetting(found.setting, instead.value);
    } catch (error) {
      // The value that would fit is out of bounds.
      if (error instanceof RangeError) return false;
      throw error;
    }
    this.remarks.push({ kind: 'default changed', ...instead, reason: `${name} ${problem}` });
    return true;
  }

  throwFaults(): void {
    if (this.faults.length > 0) throw new SettingsError(this.faults);
  }
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
