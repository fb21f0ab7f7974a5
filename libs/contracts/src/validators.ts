import { Transform, Type } from 'class-transformer';
import {
  ArrayMaxSize,
  IsArray,
  IsDefined,
  IsIn,
  IsInt,
  IsObject,
  IsString,
  Length,
  Max,
  MaxLength,
  Min,
  ValidateBy,
  ValidateNested,
  type ValidationOptions,
} from 'class-validator';

const MAX_ENTRIES = 100;
const MAX_NAME = 256;
const MAX_VALUE = 8192;
const MAX_PORT = 65_535;
const DATE_TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})$/i;

/** A text of `min` to `max` characters. */
export function IsText(max: number, min = 0): PropertyDecorator {
  return all(IsString(), min > 0 ? Length(min, max) : MaxLength(max));
}

export function IsWholeNumber(min: number, max?: number): PropertyDecorator {
  return all(IsInt(), Min(min), ...(max === undefined ? [] : [Max(max)]));
}

/** One of `words`. Any other word comes from a client of a later version and counts as `fallback`. */
export function IsWord<Word extends string>(words: readonly Word[], fallback: Word): PropertyDecorator {
  const toKnown = ({ value }: { value: unknown }): unknown =>
    typeof value === 'string' && !(words as readonly string[]).includes(value) ? fallback : value;
  return all(IsIn(words), Transform(toKnown));
}

/** An object that is valid by the rules of its class. */
export function IsNested(type: () => new () => object): PropertyDecorator {
  return all(IsDefined(), IsObject(), ValidateNested(), Type(type));
}

/** A list of such objects. */
export function IsListOf(type: () => new () => object, maxItems: number): PropertyDecorator {
  return all(IsArray(), ArrayMaxSize(maxItems), ValidateNested({ each: true }), Type(type));
}

/** Applies decorators like a stack of them: the last one first. */
function all(...decorators: PropertyDecorator[]): PropertyDecorator {
  return (target, property) => decorators.toReversed().forEach((decorate) => decorate(target, property));
}

/**
 * A date-time with its zone (RFC 3339). ISO 8601 has further forms, such as weeks, which `Date` does not read.
 */
export function IsMoment(options?: ValidationOptions): PropertyDecorator {
  return validateBy('isMoment', momentError, options);
}

/** Labels or environment variables: an object of at most 100 strings, names up to 256 and values up to 8,192 characters. */
export function IsLabelMap(options?: ValidationOptions): PropertyDecorator {
  return validateBy('isLabelMap', labelMapError, options);
}

/** Published ports, such as `{"40001/tcp": 19001}`: container port to host port. */
export function IsPortMap(options?: ValidationOptions): PropertyDecorator {
  return validateBy('isPortMap', portMapError, options);
}

/** @param errorOf what is wrong with a value, as the rest of a sentence; null when it is valid */
function validateBy(name: string, errorOf: (value: unknown) => string | null, options?: ValidationOptions): PropertyDecorator {
  const validate = (value: unknown): boolean => errorOf(value) === null;
  return ValidateBy({ name, validator: { validate, defaultMessage: (args) => `$property ${errorOf(args?.value) ?? ''}` } }, options);
}

function momentError(value: unknown): string | null {
  const valid = typeof value === 'string' && DATE_TIME.test(value) && !Number.isNaN(Date.parse(value));
  return valid ? null : 'must be a date-time such as 2026-01-31T12:00:00.000Z';
}

function labelMapError(value: unknown): string | null {
  const entries = entriesOf(value);
  const valid =
    entries !== null &&
    entries.length <= MAX_ENTRIES &&
    entries.every(([name, text]) => name !== '' && name.length <= MAX_NAME && typeof text === 'string' && text.length <= MAX_VALUE);
  return valid ? null : `must be an object whose values are strings (at most ${MAX_ENTRIES} entries)`;
}

function portMapError(value: unknown): string | null {
  const entries = entriesOf(value);
  if (entries === null) return 'must be an object such as {"40001/tcp": 19001}';
  if (entries.length > MAX_ENTRIES) return `must have at most ${MAX_ENTRIES} entries`;
  const used = new Set<string>();
  for (const [container, host] of entries) {
    const [, port, protocol] = /^([1-9]\d{0,4})\/(tcp|udp)$/.exec(container) ?? [];
    if (port === undefined || Number(port) > MAX_PORT)
      return `has the key ${quoted(container)}, which must be a port and its protocol, such as "40001/tcp" or "40001/udp"`;
    if (!Number.isInteger(host) || (host as number) < 1 || (host as number) > MAX_PORT)
      return `maps ${quoted(container)} to host port ${quoted(host)}, which must be a whole number from 1 to ${MAX_PORT}`;
    if (used.has(`${String(host)}/${protocol}`)) return `uses host port ${String(host)}/${protocol} twice`;
    used.add(`${String(host)}/${protocol}`);
  }
  return null;
}

function entriesOf(value: unknown): [string, unknown][] | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.entries(value) : null;
}

/** The start of the value as JSON. */
function quoted(value: unknown): string {
  return (JSON.stringify(value) ?? 'nothing').slice(0, 50);
}
