/**
 * A settings group is a class that a module declares and injects. `@Setting` binds each property to an environment variable. At start, a service
 * loads and validates all its groups together. The documentation is generated from the same declarations.
 */
import 'reflect-metadata';
import {
  parseBoolean,
  parseChoice,
  parseDuration,
  parseListenAddress,
  parseNumber,
  parsePort,
  parsePortRange,
  parseSize,
  parseUrl,
} from './parse.js';

interface Bounds {
  /** Inclusive bounds: numbers in the unit of the variable; for `duration` and `size`, text such as `1ms` or `4KiB`. */
  min?: number | string;
  max?: number | string;
  /** Allowed values of a `choice`. */
  choices?: readonly string[];
}

interface SettingTypeRule {
  /** Name of the type in the documentation. */
  label: string;
  /** @throws RangeError that says what is valid */
  parse(text: string, bounds: Bounds): unknown;
}

const numberWithin = (text: string, { min, max }: Bounds, whole = false): number =>
  parseNumber(text, { min: min as number | undefined, max: max as number | undefined, whole });

/** `seconds` ("0.5") and `duration` ("500ms") become milliseconds, `size` bytes, `address` a ListenAddress, `port-range` a PortRange. */
export const SETTING_TYPES = {
  string: { label: 'text', parse: (text) => text },
  integer: { label: 'whole number', parse: (text, bounds) => numberWithin(text, bounds, true) },
  number: { label: 'number', parse: (text, bounds) => numberWithin(text, bounds) },
  seconds: { label: 'seconds', parse: (text, bounds) => Math.round(numberWithin(text, { min: 0, ...bounds }) * 1000) },
  duration: { label: 'duration (`500ms`, `3s`, `1m30s`)', parse: (text, bounds) => withinBounds(parseDuration, text, bounds) },
  size: { label: 'size (`4.2MiB`, `512KB`)', parse: (text, bounds) => withinBounds(parseSize, text, bounds) },
  boolean: { label: '`true` or `false`', parse: parseBoolean },
  port: { label: 'port', parse: parsePort },
  'port-range': { label: 'ports (`first-last`)', parse: parsePortRange },
  address: { label: 'address (`:8080`, `127.0.0.1:8080`)', parse: parseListenAddress },
  url: { label: 'URL', parse: parseUrl },
  choice: { label: 'choice', parse: (text, { choices = [] }) => parseChoice(text, choices) },
} satisfies Record<string, SettingTypeRule>;

export type SettingType = keyof typeof SETTING_TYPES;

export interface SettingOptions extends Bounds {
  /** Environment variable. */
  name: string;
  type: SettingType;
  /** Noun phrase for the operator, with unit and effect. */
  help: string;
  /** Default value, written as in the environment. Without a default the property stays undefined. */
  default?: string;
  /** Other accepted names. `name` has priority, then the first alias that is set. */
  aliases?: readonly string[];
  /** Further check of the text. Throws a RangeError that says what is valid. */
  check?: (text: string) => unknown;
  /** Never shown in messages. The value may also come from the file that `<NAME>_FILE` names. */
  secret?: boolean;
}

export interface DeclaredSetting extends SettingOptions {
  property: string;
}

const DECLARED = Symbol('settings');

export function Setting(options: SettingOptions): PropertyDecorator {
  return (prototype, property) => {
    const inherited = (Reflect.getMetadata(DECLARED, prototype) as DeclaredSetting[] | undefined) ?? [];
    Reflect.defineMetadata(DECLARED, [...inherited, { ...options, property: String(property) }], prototype);
  };
}

/** The settings of a class in the order of their declaration. */
export function declaredSettings(settings: new () => object): readonly DeclaredSetting[] {
  return (Reflect.getMetadata(DECLARED, settings.prototype as object) as DeclaredSetting[] | undefined) ?? [];
}

/** @throws RangeError that says what is valid */
export function parseSetting(setting: SettingOptions, text: string): unknown {
  const value = (SETTING_TYPES[setting.type] as SettingTypeRule).parse(text, setting);
  setting.check?.(text);
  return value;
}

function withinBounds(parse: (text: string) => number, text: string, { min, max }: Bounds): number {
  const value = parse(text);
  if (min !== undefined && value < parse(String(min))) throw new RangeError(`must be at least ${min}`);
  if (max !== undefined && value > parse(String(max))) throw new RangeError(`must be at most ${max}`);
  return value;
}
