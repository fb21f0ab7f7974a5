/**
 * Adds the limits of the validators in the contracts to the OpenAPI document, and a complete example to every schema, so that the document and
 * the validation agree. The plugin of @nestjs/swagger does this too, but only when tsc compiles the code.
 */
import * as contracts from '@acexy/contracts';
import type { OpenAPIObject } from '@acexy/service-kit/openapi';
import { getMetadataStorage } from 'class-validator';

export interface PropertySchema {
  type?: string;
  format?: string;
  example?: unknown;
  enum?: unknown[];
  nullable?: boolean;
  $ref?: string;
  allOf?: PropertySchema[];
  items?: PropertySchema;
  additionalProperties?: PropertySchema | boolean;
  [limit: string]: unknown;
}

export interface ClassSchema extends PropertySchema {
  properties?: Record<string, PropertySchema>;
  required?: string[];
}

export function completeDocument(document: OpenAPIObject): OpenAPIObject {
  const schemas = schemasOf(document);
  for (const [name, schema] of Object.entries(schemas)) {
    for (const [property, limits] of limitsOf(name)) Object.assign(schema.properties?.[property] ?? {}, limits);
  }
  for (const schema of Object.values(schemas)) schema.example = exampleOf(schema, schemas);
  return document;
}

export function schemasOf(document: OpenAPIObject): Record<string, ClassSchema> {
  return (document.components?.schemas ?? {}) as Record<string, ClassSchema>;
}

/** The contract class of a schema; undefined for a schema of the service itself. */
export function contractOf(schemaName: string): (new () => object) | undefined {
  const found = (contracts as Record<string, unknown>)[schemaName];
  return typeof found === 'function' && /^class /.test(String(found)) ? (found as new () => object) : undefined;
}

function limitsOf(schemaName: string): [string, Record<string, unknown>][] {
  const type = contractOf(schemaName);
  if (!type) return [];
  return getMetadataStorage()
    .getTargetValidationMetadatas(type, '', true, false)
    .filter(({ each }) => !each)
    .map(({ name, propertyName, constraints }) => [propertyName, LIMITS[name ?? '']?.(constraints?.[0], constraints?.[1]) ?? {}]);
}

/** By name of the validator, from its constraints. */
const LIMITS: Record<string, (first: unknown, second: unknown) => Record<string, unknown>> = {
  min: (minimum) => ({ minimum }),
  max: (maximum) => ({ maximum }),
  maxLength: (maxLength) => ({ maxLength }),
  isLength: (minLength, maxLength) => ({ minLength, maxLength }),
  matches: (pattern) => ({ pattern: (pattern as RegExp).source }),
  arrayMaxSize: (maxItems) => ({ maxItems }),
  isUuid: () => ({ format: 'uuid' }),
  isMoment: () => ({ format: 'date-time' }),
  isInt: () => ({ type: 'integer' }),
};

const EXAMPLES: Record<string, string> = {
  uuid: '5f0c4a2e-7f0c-4b7b-9f43-7a1a1a1a1a1a',
  'date-time': '2026-01-31T12:00:00.000Z',
};

/** An example of the schema; undefined for a text that declares none. */
export function exampleOf(schema: ClassSchema, schemas: Record<string, ClassSchema>): unknown {
  if (schema.example !== undefined) return schema.example;
  const ref = schema.$ref ?? schema.allOf?.[0]?.$ref;
  if (ref) return exampleOf(schemas[ref.replace('#/components/schemas/', '')], schemas);
  if (schema.enum) return schema.enum[0];
  if (schema.properties)
    return Object.fromEntries(Object.entries(schema.properties).map(([name, property]) => [name, exampleOf(property, schemas)]));
  if (schema.format && EXAMPLES[schema.format]) return EXAMPLES[schema.format];
  switch (schema.type) {
    case 'boolean':
      return true;
    case 'integer':
      return schema.minimum ?? 1;
    case 'array':
      return [exampleOf(schema.items ?? {}, schemas)];
    case 'object':
      return {};
    default:
      return undefined;
  }
}
