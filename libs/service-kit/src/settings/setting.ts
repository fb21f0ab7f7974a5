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

/** `seconds` ("0.5") and `duration` ("500ms") become milliseconds, `size` bytes, `address` a ListenAddress, `port-range` a PortRange. */
export type SettingType =
  'string' | 'integer' | 'number' | 'seconds' | 'duration' | 'size' | 'boolean' | 'port' | 'port-range' | 'address' | 'url' | 'choice';

export interface SettingOptions {
  /** Environment variable. */
  name: string;
  type: SettingType;
  /** Noun phrase for the operator, with unit and effect. */
  help: string;
  /** Default value, written as in the environment. Without a default the property stays undefined. */
  default?: string;
  /** Other accepted names. `name` has priority, then the first alias that is set. */
  aliases?: readonly string[];
  /** Inclusive bounds: numbers in the unit of the variable; for `duration` and `size`, text such as `1ms` or `4KiB`. */
  min?: number | string;
  max?: number | string;
  /** Allowed values of a `choice`. */
  choices?: readonly string[];
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
  const value = parseType(setting, text);
  setting.check?.(text);
  return value;
}

function parseType(setting: SettingOptions, text: string): unknown {
  const { min, max } = setting;
  const bounds = { min: min as number | undefined, max: max as number | undefined };
  switch (setting.type) {
    case 'string':
      return text;
    case 'integer':
      return parseNumber(text, { ...bounds, whole: true });
    case 'number':
      return parseNumber(text, bounds);
    case 'seconds':
      return Math.round(parseNumber(text, { ...bounds, min: bounds.min ?? 0 }) * 1000);
    case 'duration':
      return withinBounds(parseDuration, text, setting);
    case 'size':
      return withinBounds(parseSize, text, setting);
    case 'boolean':
      return parseBoolean(text);
    case 'port':
      return parsePort(text);
    case 'port-range':
      return parsePortRange(text);
    case 'address':
      return parseListenAddress(text);
    case 'url':
      return parseUrl(text);
    case 'choice':
      return parseChoice(text, setting.choices ?? []);
    default:
      throw new TypeError(`unknown setting type ${String(setting.type satisfies never)}`);
  }
}

function withinBounds(parse: (text: string) => number, text: string, { min, max }: SettingOptions): number {
  const value = parse(text);
  if (min !== undefined && value < parse(String(min))) throw new RangeError(`must be at least ${min}`);
  if (max !== undefined && value > parse(String(max))) throw new RangeError(`must be at most ${max}`);
  return value;
}
