import { plainToInstance } from 'class-transformer';
import { getMetadataStorage, validate } from 'class-validator';
import type { OpenAPIObject } from '@acexy/service-kit/openapi';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AUTH, eventually, startOrchestrator, type TestOrchestrator } from '../../../../test/doubles/orchestrator/test-orchestrator.js';
import { type ApiDocument, answerFaults } from '../../../../test/support/openapi.js';
import { openApiDocument } from './configure-app.js';
import { type ClassSchema, contractOf, exampleOf, type PropertySchema, schemasOf } from './documented-constraints.js';

const ROOT = fileURLToPath(new URL('../../../..', import.meta.url));
/** The only numbers that are not integers. */
const FRACTIONS = ['ProvisioningFigures.min_interval_s'];

let orchestrator: TestOrchestrator;
let document: OpenAPIObject;
let schemas: Record<string, ClassSchema>;

beforeAll(async () => {
  orchestrator = await startOrchestrator({ env: { MIN_REPLICAS: '1', MAX_REPLICAS: '1', COLLECT_INTERVAL_S: '0.1' } });
  document = await openApiDocument(orchestrator.app);
  schemas = schemasOf(document);
});
afterAll(() => orchestrator.close());

describe('the OpenAPI document and the code', () => {
  it('have the same classes with the same properties and types', () => {
    const declared = declaredClasses();
    const drift = Object.entries(schemas).flatMap(([name, { properties = {}, required = [] }]) => {
      const type = declared.get(name);
      if (!type) return [`${name} is no class of the sources`];
      const names = new Set([...Object.keys(properties), ...type.keys()]);
      return [...names].flatMap((property) => {
        const inCode = type.get(property);
        const inDocument =
          properties[property] && `${describeSchema(properties[property])}${required.includes(property) ? '' : ', optional'}`;
        return agree(inCode, inDocument) ? [] : [`${name}.${property}: ${inCode} in the code, ${inDocument} in the document`];
      });
    });
    expect(drift).toEqual([]);
  });

  it('use integers for all counts', () => {
    const fractions = Object.entries(schemas).flatMap(([name, { properties = {} }]) =>
      Object.entries(properties).flatMap(([property, { type }]) => (type === 'number' ? [`${name}.${property}`] : [])),
    );
    expect(fractions).toEqual(FRACTIONS);
  });

  it('have an example of everything, and accept each example of a request', async () => {
    const missing = Object.entries(schemas).flatMap(([name, { properties = {} }]) =>
      Object.entries(properties).flatMap(([property, schema]) => (exampleOf(schema, schemas) === undefined ? [`${name}.${property}`] : [])),
    );
    expect(missing).toEqual([]);
    for (const [name, schema] of Object.entries(schemas)) {
      const type = contractOf(name);
      if (!type || getMetadataStorage().getTargetValidationMetadatas(type, '', true, false).length === 0) continue;
      const faults = await validate(plainToInstance(type, schema.example as object), { whitelist: true, forbidNonWhitelisted: true });
      expect([name, faults.map(String)]).toEqual([name, []]);
    }
  });

  it('have the limits of the validators', () => {
    const { LeaseRequest: lease, EventBatch: batch, EventEngine: engine, ProvisionAcestreamRequest: provision } = schemas;
    expect(lease.properties).toMatchObject({ request_id: { format: 'uuid' }, wait_ms: { type: 'integer', minimum: 0, maximum: 60_000 } });
    expect(batch.properties).toMatchObject({ started: { maxItems: 1000 } });
    expect(engine.properties).toMatchObject({
      port: { type: 'integer', minimum: 1, maximum: 65_535 },
      host: { minLength: 1, maxLength: 255 },
    });
    expect(provision.properties).toMatchObject({ image: { maxLength: 512, pattern: expect.any(String) as string } });
  });

  it('match the real replies', async () => {
    orchestrator.runtime.statReply = { response: { status: 'dl', peers: 4, speed_down: 1.5, downloaded: 1 }, error: null };
    const list = async () => (await orchestrator.http.get('/engines')).body as { container_id: string; host: string; port: number }[];
    const [{ container_id: id, host, port }] = await eventually(list, (engines) => engines.length === 1);
    const session = { playback_session_id: 'p', stat_url: 'http://x/ace/stat/1/2', command_url: 'http://x/ace/cmd/1/2', is_live: 1 };
    const event = { engine: { host, port }, stream: { key_type: 'url', key: 'k' }, session, labels: { stream_id: 's' } };
    const post = (path: string, body?: object) => orchestrator.http.post(path).set(AUTH).send(body);
    const get = (path: string) => orchestrator.http.get(path).set(AUTH);
    const answers: [string, Promise<{ status: number; body: unknown }>][] = [
      ['POST /events/stream_started', post('/events/stream_started', event)],
    ];
    await answers[0][1];
    await eventually(
      async () => (await get('/streams/s/stats')).body as unknown[],
      (stats) => stats.length > 0,
    );
    answers.push(
      ['GET /engines', get('/engines')],
      ['GET /engines/{id}', get(`/engines/${id}`)],
      ['GET /engines/health-score', get('/engines/health-score')],
      ['GET /engines/lease/preview', get('/engines/lease/preview?key_type=url&key=x')],
      ['GET /containers/{id}', get(`/containers/${id}`)],
      ['GET /by-label', get('/by-label?key=orchestrator.managed')],
      ['GET /streams', get('/streams')],
      ['GET /streams/{id}/stats', get('/streams/s/stats')],
      ['GET /vpn/status', get('/vpn/status')],
      ['GET /health', get('/health')],
      ['GET /health/ready', get('/health/ready')],
      ['GET /health/status', get('/health/status')],
      ['GET /orchestrator/status', get('/orchestrator/status')],
      ['GET /autoscaler/decisions', get('/autoscaler/decisions')],
      ['POST /provision/acestream', post('/provision/acestream')],
      ['POST /events/batch', post('/events/batch', { started: [event, 1], ended: [{}] })],
      ['POST /events/stream_ended', post('/events/stream_ended', { stream_id: 's' })],
      ['POST /gc', post('/gc')],
    );
    for (const [route, answering] of answers) {
      const { status, body } = await answering;
      expect([route, status, answerFaults(document as unknown as ApiDocument, route, status, body)]).toEqual([
        route,
        expect.any(Number),
        [],
      ]);
    }
  });
});

/** Items that are validated later are `unknown` in the code; the document has their type. */
function agree(inCode: string | undefined, inDocument: string | undefined): boolean {
  return inCode === (inCode?.startsWith('list of unknown') ? inDocument?.replace(/list of \w+/, 'list of unknown') : inDocument);
}

/** A schema in the notation of `describeType`. */
function describeSchema({ type, $ref, allOf, enum: values, items, additionalProperties, nullable }: PropertySchema): string {
  const ref = $ref ?? allOf?.[0].$ref;
  const base = ref
    ? ref.replace('#/components/schemas/', '')
    : values
      ? `one of ${[...values].sort().join(' ')}`
      : type === 'array'
        ? `list of ${items ? describeSchema(items) : '?'}`
        : type === 'integer'
          ? 'number'
          : type === 'object'
            ? `map of ${typeof additionalProperties === 'object' ? describeSchema(additionalProperties) : 'anything'}`
            : (type ?? '?');
  return nullable ? `${base} or null` : base;
}

/** Every class in the sources that has documented properties, with the TypeScript type of each property. */
function declaredClasses(): Map<string, Map<string, string>> {
  const files = ['libs/contracts/src', 'apps/orchestrator/src'].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((file) => join(folder, file)),
  );
  const sources = files
    .filter((file) => file.endsWith('.ts') && !/\.spec\.ts$/.test(file))
    .map((file) => ts.createSourceFile(file, readFileSync(join(ROOT, file), 'utf8'), ts.ScriptTarget.ES2023, true));
  const statements = sources.flatMap((source) => [...source.statements]);
  const aliases = new Map(statements.filter(ts.isTypeAliasDeclaration).map((alias) => [alias.name.text, alias.type]));
  const constants = new Map(
    statements
      .filter(ts.isVariableStatement)
      .flatMap(({ declarationList }) => declarationList.declarations.map((each) => [each.name.getText(), each.initializer])),
  );
  const classes = statements.filter(ts.isClassDeclaration).filter(({ name }) => name !== undefined);
  const byName = new Map(classes.map((each) => [(each.name as ts.Identifier).text, each]));

  const propertiesOf = (declaration: ts.ClassDeclaration): Map<string, string> => {
    const parent = declaration.heritageClauses?.[0]?.types[0]?.expression.getText();
    const inherited = parent && byName.has(parent) ? propertiesOf(byName.get(parent) as ts.ClassDeclaration) : new Map<string, string>();
    for (const member of declaration.members) {
      if (!ts.isPropertyDeclaration(member) || !member.type) continue;
      const optional = member.questionToken ? ', optional' : '';
      inherited.set(member.name.getText(), describeType(member.type, aliases, constants) + optional);
    }
    return inherited;
  };
  return new Map(classes.map((each) => [(each.name as ts.Identifier).text, propertiesOf(each)]));
}

function describeType(node: ts.TypeNode, aliases: Map<string, ts.TypeNode>, constants: Map<string, ts.Expression | undefined>): string {
  const describe = (each: ts.TypeNode): string => describeType(each, aliases, constants);
  if (ts.isUnionTypeNode(node)) {
    const others = node.types.filter((type) => type.getText() !== 'null');
    const nullable = others.length < node.types.length ? ' or null' : '';
    if (others.length === 1) return describe(others[0]) + nullable;
    return `one of ${others
      .map((type) => type.getText().replaceAll("'", ''))
      .sort()
      .join(' ')}${nullable}`;
  }
  if (ts.isLiteralTypeNode(node)) return `one of ${node.getText().replaceAll("'", '')}`;
  if (ts.isArrayTypeNode(node)) return `list of ${describe(node.elementType)}`;
  if (ts.isParenthesizedTypeNode(node)) return describe(node.type);
  if (ts.isIndexedAccessTypeNode(node)) {
    // (typeof NAMES)[number]
    const name = /typeof (\w+)/.exec(node.getText())?.[1] ?? '';
    const list = constants.get(name)?.getText() ?? '';
    return `one of ${[...list.matchAll(/'([^']*)'/g)]
      .map(([, value]) => value)
      .sort()
      .join(' ')}`;
  }
  if (ts.isTypeReferenceNode(node)) {
    const name = node.typeName.getText();
    if (name === 'Record') return `map of ${describe((node.typeArguments as ts.NodeArray<ts.TypeNode>)[1])}`;
    const alias = aliases.get(name);
    return alias ? describe(alias) : name;
  }
  return node.getText() === 'object' ? 'map of anything' : node.getText();
}
