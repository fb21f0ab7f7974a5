import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startOrchestrator, type TestOrchestrator } from '../../../../test/doubles/orchestrator/test-orchestrator.js';
import { type ApiDocument, type Operation, operationsOf, routesOf } from '../../../../test/support/openapi.js';
import { openApiDocument } from './configure-app.js';

/** All routes: whether they need the key, and the schemas of their requests and replies. */
const ROUTES: [string, { key: boolean; takes?: string; gives: Record<string, string> }][] = [
  ['GET /engines', { key: false, gives: { 200: 'EngineState[]' } }],
  ['GET /engines/{id}', { key: false, gives: { 200: 'EngineWithStreams' } }],
  [
    'POST /engines/lease',
    { key: true, takes: 'LeaseRequest', gives: { 200: 'LeaseGranted', 202: 'LeaseWaiting', 503: 'ProvisioningRefusal' } },
  ],
  ['GET /engines/lease/preview', { key: true, gives: { 200: 'LeasePreview' } }],
  ['DELETE /engines/lease/{lease_id}', { key: true, gives: { 200: 'ReleasedLease' } }],
  ['GET /containers/{id}', { key: false, gives: { 200: 'ContainerInfo' } }],
  ['GET /by-label', { key: true, gives: { 200: 'ContainerInfo[]' } }],
  ['DELETE /containers/{id}', { key: true, gives: { 200: 'DeletedContainer' } }],
  [
    'POST /provision',
    {
      key: true,
      takes: 'ProvisionRequest',
      gives: { 200: 'ProvisionResponse', 500: 'ProvisioningRefusal', 503: 'ProvisioningRefusal' },
    },
  ],
  [
    'POST /provision/acestream',
    {
      key: true,
      takes: 'ProvisionAcestreamRequest',
      gives: { 200: 'ProvisionAcestreamResponse', 500: 'ProvisioningRefusal', 503: 'ProvisioningRefusal' },
    },
  ],
  ['POST /events/stream_started', { key: true, takes: 'StreamStartedEvent', gives: { 202: 'StreamState' } }],
  ['POST /events/stream_ended', { key: true, takes: 'StreamEndedEvent', gives: { 202: 'StreamEndedAnswer' } }],
  ['POST /events/batch', { key: true, takes: 'EventBatch', gives: { 200: 'EventBatchAnswer' } }],
  ['PUT /proxies/{proxy_id}/report', { key: true, takes: 'ProxyReport', gives: { 200: 'ReportAnswer' } }],
  ['GET /streams', { key: false, gives: { 200: 'StreamState[]' } }],
  ['GET /streams/{id}/stats', { key: false, gives: { 200: 'StreamStatSnapshot[]' } }],
  ['POST /gc', { key: true, gives: { 200: 'CollectedGarbage' } }],
  ['POST /scale/{demand}', { key: true, gives: { 200: 'ScaleAnswer' } }],
  ['GET /autoscaler/decisions', { key: true, gives: { 200: 'ScalingDecisionRecord[]' } }],
  ['POST /health/circuit-breaker/reset', { key: true, gives: { 200: 'CircuitReset' } }],
  ['GET /engines/health-score', { key: false, gives: { 200: 'EngineHealthScore[]' } }],
  ['GET /orchestrator/status', { key: false, gives: { 200: 'OrchestratorStatus' } }],
  ['GET /health/status', { key: false, gives: { 200: 'EnginesHealthStatus' } }],
  ['GET /vpn/status', { key: false, gives: { 200: 'VpnStatus' } }],
  ['GET /health', { key: false, gives: { 200: 'HealthAnswer' } }],
  ['GET /health/ready', { key: false, gives: { 200: 'ReadyAnswer', 503: 'ReadyAnswer' } }],
];

describe('the OpenAPI document', () => {
  let orchestrator: TestOrchestrator;
  let operations: Map<string, Operation>;
  let schemas: Record<string, { properties?: object }>;

  beforeAll(async () => {
    orchestrator = await startOrchestrator();
    const document = await openApiDocument(orchestrator.app);
    operations = operationsOf(document as unknown as ApiDocument);
    schemas = (document.components?.schemas ?? {}) as typeof schemas;
  });
  afterAll(() => orchestrator.close());

  it('lists exactly the routes of the service', () => {
    const served = routesOf(orchestrator.app);
    expect([...operations.keys()].sort()).toEqual(served.sort());
    expect(served.filter((route) => route !== 'GET /metrics').sort()).toEqual(ROUTES.map(([route]) => route).sort());
  });

  it.each(ROUTES)('documents the request, replies and access of %s', (route, { key, takes, gives }) => {
    const operation = operations.get(route) as Operation;
    expect(operation.summary).toBeTruthy();
    expect(Boolean(operation.security)).toBe(key);
    if (takes) expect(nameOf(operation.requestBody?.content['application/json'].schema)).toBe(takes);
    for (const [status, name] of Object.entries(gives)) {
      expect(nameOf(operation.responses[status]?.content?.['application/json'].schema)).toBe(name);
      expect(schemas[name.replace('[]', '')].properties).toBeDefined();
    }
  });

  it('needs no key at /docs', async () => {
    expect((await orchestrator.http.get('/docs')).status).toBe(200);
    expect((await orchestrator.http.post('/docs')).status).toBe(405);
    expect((await orchestrator.http.get('/docs-json')).body).toMatchObject({ info: { title: 'AceStream orchestrator' } });
  });
});

function nameOf(schema: { $ref?: string; type?: string; items?: { $ref?: string } } | undefined): string | undefined {
  const ref = schema?.$ref ?? schema?.items?.$ref;
  return ref && ref.replace('#/components/schemas/', '') + (schema?.type === 'array' ? '[]' : '');
}
