/** Requests made from the OpenAPI descriptions of both services: whatever a client sends, it gets an answer that the description has. The corpus
 * has the requests that were once answered otherwise, and those that are easy to get wrong. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SILENT_LOG, loadAllSettings } from '@acexy/service-kit';
import * as fc from 'fast-check';
import { register } from 'prom-client';
import request from 'supertest';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createApp } from '../apps/proxy/src/app/create-app.js';
import { PROXY_SETTINGS } from '../apps/proxy/src/app/settings.js';
import { AUTH, startOrchestrator } from './doubles/orchestrator/test-orchestrator.js';
import { type ApiDocument, type Operation, type Schema, answerFaults, operationsOf, resolved } from './support/openapi.js';

/** Number of random requests to each service; `FUZZ_RUNS=100000` is the long form. */
const RUNS = Number(process.env.FUZZ_RUNS ?? 250);
const LIMIT_MS = Math.max(60_000, RUNS * 60);

interface FuzzCall {
  /** Method and path as in the description. */
  route: string;
  path: Record<string, string>;
  query: Record<string, string>;
  /** JSON text; null: no body. */
  body: string | null;
}

const CORPUS = JSON.parse(readFileSync(new URL('openapi-fuzz.corpus.json', import.meta.url), 'utf8')) as Record<string, FuzzCall[]>;

type Send = (method: string, target: string, body: string | null) => Promise<{ status: number; body: unknown; type: string }>;

const STRANGE = ['', ' ', '0', '-1', '1e400', '1.5', 'null', '__proto__', '%', '%00', '../..', '\u0000', '\u00e4', 'x'.repeat(5000)];
const strange = fc.oneof(fc.constantFrom(...STRANGE), fc.string({ unit: 'binary', maxLength: 20 }));
const junk = fc.oneof(strange, fc.jsonValue({ maxDepth: 3 }));

/** A value of the schema, or often something else. */
function valueOf(document: ApiDocument, schema: Schema, depth = 0): fc.Arbitrary<unknown> {
  const all = { ...schema, ...resolved(document, schema) };
  return fc.oneof({ weight: 6, arbitrary: validValue(document, all, depth) }, { weight: 1, arbitrary: junk });
}

function validValue(document: ApiDocument, schema: Schema & { example?: unknown }, depth: number): fc.Arbitrary<unknown> {
  const { properties, enum: words, type, items, minimum = 0, example } = schema;
  if (properties && depth < 4) {
    const known = Object.entries(properties).map(([name, property]) => [name, valueOf(document, property, depth + 1)] as const);
    return fc.record(Object.fromEntries(known), { requiredKeys: schema.required ?? [] });
  }
  if (words) return fc.constantFrom(...words);
  if (type === 'array' && items && depth < 4) return fc.array(valueOf(document, items, depth + 1), { maxLength: 3 });
  if (type === 'integer' || type === 'number') return fc.constantFrom(minimum, minimum + 1, schema.maximum ?? minimum);
  if (type === 'boolean') return fc.boolean();
  if (type === 'object') return fc.dictionary(fc.string({ maxLength: 5 }), fc.string({ maxLength: 5 }), { maxKeys: 3 });
  return example === undefined ? fc.constantFrom('x', 'b'.repeat(40), '5f0c4a2e-7f0c-4b7b-9f43-7a1a1a1a1a1a') : fc.constant(example);
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : (JSON.stringify(value) ?? ''));

function callsOf(document: ApiDocument): fc.Arbitrary<FuzzCall> {
  const calls = [...operationsOf(document)].map(([route, operation]) => {
    const named = (place: string, optional: boolean) => {
      const parameters = (operation.parameters ?? []).filter((parameter) => parameter.in === place);
      const values = parameters.map(({ name, schema }) => [name, valueOf(document, schema).map(textOf)] as const);
      const requiredKeys = optional ? [] : parameters.map(({ name }) => name);
      return fc.record(Object.fromEntries(values), { requiredKeys }) as fc.Arbitrary<Record<string, string>>;
    };
    return fc.record({
      route: fc.constant(route),
      path: named('path', false),
      query: named('query', true),
      body: bodyOf(document, operation),
    });
  });
  return fc.oneof(...calls);
}

function bodyOf(document: ApiDocument, { requestBody }: Operation): fc.Arbitrary<string | null> {
  const schema = requestBody?.content['application/json']?.schema;
  if (schema === undefined) return fc.constant(null);
  return fc.oneof(
    { weight: 8, arbitrary: valueOf(document, schema).map((value) => JSON.stringify(value) ?? '') },
    fc.constantFrom('', '{', '[]', '{"a":', `${'['.repeat(3000)}${']'.repeat(3000)}`),
  );
}

/** Path and query of a call; null if a path parameter would make it another path. */
function targetOf({ route, path, query }: FuzzCall): string | null {
  if (Object.values(path).some((value) => ['', '.', '..'].includes(value) || /\p{Surrogate}/u.test(value))) return null;
  const target = route.split(' ')[1].replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(path[name]));
  return `${target}?${new URLSearchParams(query).toString()}`;
}

async function expectDocumented(document: ApiDocument, send: Send, call: FuzzCall): Promise<void> {
  const target = targetOf(call);
  fc.pre(target !== null && target.length < 12_000);
  const { status, body, type } = await send(call.route.split(' ')[0].toLowerCase(), target, call.body);
  expect(answerFaults(document, call.route, status, type === 'application/json' ? body : undefined)).toEqual([]);
}

async function fuzz(document: ApiDocument, send: Send, found: readonly FuzzCall[]): Promise<void> {
  const property = fc.asyncProperty(callsOf(document), (call) => expectDocumented(document, send, call));
  await fc.assert(property, { numRuns: RUNS, examples: found.map((call) => [call]) });
}

const sendTo =
  (http: ReturnType<typeof request>, headers: Record<string, string>): Send =>
  async (method, target, body) => {
    const call = http[method as 'get' | 'post' | 'put' | 'delete'](target).set(headers);
    return body === null ? call : call.set('Content-Type', 'application/json').send(body);
  };

describe('the OpenAPI description', () => {
  it(
    'of the orchestrator has every answer to any request made from it',
    async () => {
      const env = { MAX_REPLICAS: '2', MAX_CONNECTIONS: '1000', API_REQUEST_TIMEOUT_S: '1', PROVISION_STARTUP_GRACE_S: '1' };
      const orchestrator = await startOrchestrator({ env });
      onTestFinished(() => orchestrator.close());
      const document = (await orchestrator.http.get('/docs-json')).body as ApiDocument;
      await fuzz(document, sendTo(orchestrator.http, AUTH), CORPUS.orchestrator);
    },
    LIMIT_MS,
  );

  it(
    'of the proxy has every answer to any request made from it',
    async () => {
      const folder = mkdtempSync(join(tmpdir(), 'acexy-'));
      // Port 9 (discard) is closed on test machines: there is no engine.
      const settings = { ACEXY_DATA_DIR: folder, ACEXY_HOST: '127.0.0.1', ACEXY_PORT: '9', ACEXY_START_TIMEOUT: '1s' };
      register.clear();
      const app = await createApp(loadAllSettings(PROXY_SETTINGS, settings), SILENT_LOG);
      await app.init();
      onTestFinished(async () => {
        await app.close();
        rmSync(folder, { recursive: true });
        register.clear();
      });
      const http = request(app.getHttpServer());
      const document = (await http.get('/docs-json')).body as ApiDocument;
      await fuzz(document, sendTo(http, {}), CORPUS.proxy);
    },
    LIMIT_MS,
  );
});
