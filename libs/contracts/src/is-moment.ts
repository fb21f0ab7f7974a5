import { ValidateBy, type ValidationOptions } from 'class-validator';

const DATE_TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})$/i;

/** The property is a date with its time and its zone, as RFC 3339 writes them; ISO 8601 has further forms (weeks, days of the year) that `Date` does not read. */
export function IsMoment(options?: ValidationOptions): PropertyDecorator {
  return ValidateBy(
    {
      name: 'isMoment',
      validator: {
        validate: (value: unknown): boolean => typeof value === 'string' && DATE_TIME.test(value) && !Number.isNaN(Date.parse(value)),
        defaultMessage: (args): string => `${args?.property ?? 'value'} must be a date-time such as 2026-01-31T12:00:00.000Z`,
      },
    },
    options,
  );
}
