import { ValidateBy, type ValidationOptions } from 'class-validator';

/** Names and values a container label or an environment variable can have; both sides are strings on the wire. */
const MAX_ENTRIES = 100;
const MAX_NAME = 256;
const MAX_VALUE = 8192;

/** The property is an object of strings: at most 100 entries, names up to 256 and values up to 8,192 characters. */
export function IsLabelMap(options?: ValidationOptions): PropertyDecorator {
  return ValidateBy(
    {
      name: 'isLabelMap',
      validator: {
        validate: (value: unknown): boolean => {
          if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
          const entries = Object.entries(value);
          return (
            entries.length <= MAX_ENTRIES &&
            entries.every(
              ([name, text]) => name.length > 0 && name.length <= MAX_NAME && typeof text === 'string' && text.length <= MAX_VALUE,
            )
          );
        },
        defaultMessage: (args): string =>
          `${args?.property ?? 'value'} must be an object whose values are strings (at most ${MAX_ENTRIES} entries)`,
      },
    },
    options,
  );
}
