/**
 * Checks an answer as a strictly typed client reads it (Go's encoding/json into structs). Such a client rejects the whole answer if an integer
 * has a fraction or a time is an empty string.
 */
export type Shape =
  | 'text'
  | 'text?'
  | 'any text'
  | 'int'
  | 'int?'
  | 'number'
  | 'bool'
  | 'time'
  | 'time?'
  | { oneOf: readonly (string | null)[] }
  | { list: Shape }
  | { map: Shape }
  | { nullable: Shape }
  | { optional: Shape }
  | { fields: Record<string, Shape> };

/** RFC 3339 as Go's time.Time parses it. */
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

/** The errors in `value`; empty if a client can read it. Additional fields are allowed, because clients ignore them. */
export function faultsOf(shape: Shape, value: unknown, path = '$'): string[] {
  const wrong = (what: string): string[] => [`${path} is ${JSON.stringify(value)?.slice(0, 80) ?? 'missing'}, not ${what}`];
  if (typeof shape === 'string') return isScalar(shape, value) ? [] : wrong(shape);
  if ('oneOf' in shape) return (shape.oneOf as readonly unknown[]).includes(value) ? [] : wrong(`one of ${shape.oneOf.join(', ')}`);
  if ('nullable' in shape) return value === null ? [] : faultsOf(shape.nullable, value, path);
  if ('optional' in shape) return value === undefined ? [] : faultsOf(shape.optional, value, path);
  if ('list' in shape)
    return Array.isArray(value) ? value.flatMap((item, index) => faultsOf(shape.list, item, `${path}[${index}]`)) : wrong('a list');
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return wrong('an object');
  const object = value as Record<string, unknown>;
  return 'map' in shape
    ? Object.entries(object).flatMap(([key, item]) => faultsOf(shape.map, item, `${path}.${key}`))
    : Object.entries(shape.fields).flatMap(([key, field]) => faultsOf(field, object[key], `${path}.${key}`));
}

function isScalar(shape: Extract<Shape, string>, value: unknown): boolean {
  switch (shape) {
    case 'text':
      return typeof value === 'string' && value !== '';
    case 'text?':
      return value === null || (typeof value === 'string' && value !== '');
    case 'any text':
      return typeof value === 'string';
    case 'int':
      return Number.isSafeInteger(value);
    case 'int?':
      return value === null || Number.isSafeInteger(value);
    case 'number':
      return typeof value === 'number' && Number.isFinite(value);
    case 'bool':
      return typeof value === 'boolean';
    case 'time':
      return typeof value === 'string' && TIME.test(value) && !Number.isNaN(Date.parse(value));
    case 'time?':
      return value === null || isScalar('time', value);
    default:
      throw new TypeError(`unknown shape ${String(shape satisfies never)}`);
  }
}
