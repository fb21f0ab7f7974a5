/** Reads OpenAPI documents: which calls they have, and whether an answer is as they say. */
import type { NestExpressApplication } from '@nestjs/platform-express';

export interface Schema {
  type?: string;
  format?: string;
  pattern?: string;
  enum?: unknown[];
  nullable?: boolean;
  $ref?: string;
  allOf?: Schema[];
  oneOf?: Schema[];
  items?: Schema;
  minimum?: number;
  maximum?: number;
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: Schema | boolean;
}

export interface Operation {
  summary?: string;
  security?: object[];
  parameters?: { name: string; in: string; required?: boolean; schema: Schema }[];
  requestBody?: { content: Record<string, { schema: Schema }> };
  responses: Record<string, { content?: Record<string, { schema: Schema }> }>;
}

export interface ApiDocument {
  paths: Record<string, Record<string, Operation>>;
  components?: { schemas?: Record<string, Schema> };
}

/** The documented calls by method and path, such as `GET /engines/{id}`. */
export function operationsOf({ paths }: ApiDocument): Map<string, Operation> {
  return new Map(
    Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => [`${method.toUpperCase()} ${path}`, operation] as const),
    ),
  );
}

/** The routes that a service answers, in the same notation. */
export function routesOf(app: NestExpressApplication): string[] {
  const { router } = app.getHttpAdapter().getInstance() as {
    router: { stack: { route?: { path: string; methods: Record<string, boolean> } }[] };
  };
  return router.stack.flatMap(({ route }) =>
    route ? Object.keys(route.methods).map((method) => `${method.toUpperCase()} ${route.path.replace(/:(\w+)/g, '{$1}')}`) : [],
  );
}

/** Where the answer differs from the document; empty if it is as documented. `body` is undefined for an answer that is not JSON. */
export function answerFaults(document: ApiDocument, route: string, status: number, body: unknown): string[] {
  const response = operationsOf(document).get(route)?.responses[String(status)];
  if (response === undefined) return [`${route} answers ${status}, which is not documented`];
  const schema = response.content?.['application/json']?.schema;
  return schema === undefined || body === undefined ? [] : schemaFaults(document, schema, body);
}

/** The schema that a reference names. */
export function resolved(document: ApiDocument, schema: Schema): Schema {
  const ref = schema.$ref ?? schema.allOf?.[0].$ref;
  return ref === undefined ? schema : (document.components?.schemas?.[ref.replace('#/components/schemas/', '')] ?? {});
}

/** Where `value` differs from the schema. Properties that the schema does not have are faults too. */
export function schemaFaults(document: ApiDocument, schema: Schema, value: unknown, path = '$'): string[] {
  if (value === null) return schema.nullable ? [] : [`${path} is null`];
  if (schema.oneOf) {
    const all = schema.oneOf.map((one) => schemaFaults(document, one, value, path));
    return all.some((faults) => faults.length === 0) ? [] : all.flat();
  }
  const { properties, required = [], ...plain } = resolved(document, schema);
  if (properties) {
    if (typeof value !== 'object' || Array.isArray(value)) return [`${path} is no object`];
    const missing = required.filter((name) => (value as Record<string, unknown>)[name] === undefined);
    return [
      ...missing.map((name) => `${path}.${name} is missing`),
      ...Object.entries(value).flatMap(([name, item]) =>
        Object.hasOwn(properties, name)
          ? schemaFaults(document, properties[name], item, `${path}.${name}`)
          : [`${path}.${name} is not documented`],
      ),
    ];
  }
  return plainFaults(document, plain, value, path);
}

function plainFaults(document: ApiDocument, schema: Schema, value: unknown, path: string): string[] {
  if (schema.enum) return schema.enum.includes(value) ? [] : [`${path} is ${String(value)}`];
  switch (schema.type) {
    case 'string':
      return typeof value === 'string' && (schema.format !== 'date-time' || !Number.isNaN(Date.parse(value)))
        ? []
        : [`${path} is no ${schema.format ?? 'text'}`];
    case 'integer':
      return Number.isSafeInteger(value) ? [] : [`${path} is no integer`];
    case 'number':
      return typeof value === 'number' ? [] : [`${path} is no number`];
    case 'boolean':
      return typeof value === 'boolean' ? [] : [`${path} is no boolean`];
    case 'array':
      return Array.isArray(value)
        ? value.flatMap((item, index) => schemaFaults(document, schema.items ?? {}, item, `${path}[${index}]`))
        : [`${path} is no list`];
    case 'object': {
      if (typeof value !== 'object' || value === null) return [`${path} is no object`];
      const { additionalProperties: items } = schema;
      return typeof items === 'object'
        ? Object.entries(value).flatMap(([key, item]) => schemaFaults(document, items, item, `${path}.${key}`))
        : [];
    }
    default:
      return [`${path}: the document does not say what it is (${JSON.stringify(schema)})`];
  }
}
