/**
 * A service's settings are one class; each property says with `@Setting` which environment variable it comes from.
 * The class is loaded and validated once at start, all faults at once, and the same declarations make the documentation.
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

/**
 * What the text means: `seconds` ("0.5") and `duration` ("500ms") both become milliseconds, `size` becomes bytes,
 * `address` a ListenAddress, `port-range` a PortRange.
 */
export type SettingType =
  'string' | 'integer' | 'number' | 'seconds' | 'duration' | 'size' | 'boolean' | 'port' | 'port-range' | 'address' | 'url' | 'choice';

export interface SettingOptions {
  /** The environment variable. */
  name: string;
  type: SettingType;
  /** One sentence for the operator. */
  help: string;
  /** As it would be written in the environment; without one the property stays undefined. */
  default?: string;
  /** Other names for the same thing; the first that is set counts, the main name before all. */
  aliases?: readonly string[];
  /** Bounds of a number, in the unit of the variable. */
  min?: number;
  max?: number;
  /** Of a `choice`. */
  choices?: readonly string[];
  /** Never shown in messages; may also come from the file that `<NAME>_FILE` names. */
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

/** The value of `text`; throws a RangeError that says what would be right. */
export function parseSetting(setting: SettingOptions, text: string): unknown {
  switch (setting.type) {
    case 'string':
      return text;
    case 'integer':
      return parseNumber(text, { min: setting.min, max: setting.max, whole: true });
    case 'number':
      return parseNumber(text, setting);
    case 'seconds':
      return Math.round(parseNumber(text, { min: setting.min ?? 0, max: setting.max }) * 1000);
    case 'duration':
      return parseDuration(text);
    case 'size':
      return parseSize(text);
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
      throw new TypeError(`unknown type of setting ${String(setting.type satisfies never)}`);
  }
}
