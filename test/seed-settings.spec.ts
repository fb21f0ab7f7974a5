import { loadAllSettings } from '@acexy/service-kit';
import { parse as parseDotenv } from 'dotenv';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadOrchestratorSettings } from '../apps/orchestrator/src/settings.js';
import { PROXY_SETTINGS } from '../apps/proxy/src/app/settings.js';
import { ROOT } from './support/service-process.js';

/**
 * The settings of the operators' troubleshooting guide, line by line. Its commands are tested in e2e/seed-guide.e2e.ts.
 */

const load = (environment: Record<string, string>): object => ({
  ...loadAllSettings(PROXY_SETTINGS, environment).values,
  ...loadOrchestratorSettings({ MAX_REPLICAS: '100', ...environment }),
});

describe('the defaults in the guide', () => {
  it.each([
    [71, 'echo $ACEXY_ORCH_TIMEOUT  # Default: 3s', { orchestratorTimeoutMs: 3_000 }],
    [74, 'echo $API_REQUEST_TIMEOUT_S  # Default: 30s', { apiRequestTimeoutMs: 30_000 }],
    [75, 'echo $PROVISION_TIMEOUT_S     # Default: 120s', { provisionTimeoutMs: 120_000 }],
    [101, 'MAX_CONCURRENT_PROVISIONS … # Up from 5', { maxConcurrentProvisions: 5 }],
    [102, 'MIN_PROVISION_INTERVAL_S … # Down from 0.5', { minProvisionIntervalMs: 500 }],
    [105, 'CIRCUIT_BREAKER_THRESHOLD … # Up from 5', { circuitBreakerThreshold: 5 }],
    [122, 'echo $MIN_REPLICAS  # How many free engines to maintain', { minReplicas: 3 }],
    [128, 'MIN_REPLICAS … # Up from 3', { minReplicas: 3 }],
    [131, 'AUTOSCALE_INTERVAL_S … # Down from 30', { autoscaleIntervalMs: 30_000 }],
    [132, 'ENGINE_GRACE_PERIOD_S … # Up from 30', { engineGracePeriodMs: 30_000 }],
    [178, 'HEALTH_CHECK_INTERVAL_S … # Down from 30', { healthCheckIntervalMs: 30_000 }],
    [319, 'GLUETUN_PORT_CACHE_TTL_S … # Up from 60', { gluetunPortTtlMs: 60_000 }],
  ])('line %i: %s', (_line, _text, expected) => {
    expect(load({})).toMatchObject(expected);
  });
});

describe('the recommended settings', () => {
  it.each([
    [81, 'ACEXY_ORCH_TIMEOUT=10s', { orchestratorTimeoutMs: 10_000 }],
    [84, 'API_REQUEST_TIMEOUT_S=60', { apiRequestTimeoutMs: 60_000 }],
    [85, 'API_LONG_OPERATION_TIMEOUT_S=120', { apiLongOperationTimeoutMs: 120_000 }],
    [86, 'PROVISION_TIMEOUT_S=180', { provisionTimeoutMs: 180_000 }],
    [87, 'PROVISION_STARTUP_GRACE_S=45', { startupGraceMs: 45_000 }],
    [101, 'MAX_CONCURRENT_PROVISIONS=10      # Up from 5', { maxConcurrentProvisions: 10 }],
    [102, 'MIN_PROVISION_INTERVAL_S=0.2      # Down from 0.5', { minProvisionIntervalMs: 200 }],
    [105, 'CIRCUIT_BREAKER_THRESHOLD=10      # Up from 5', { circuitBreakerThreshold: 10 }],
    [106, 'CIRCUIT_BREAKER_TIMEOUT_S=300     # 5 minutes', { circuitBreakerTimeoutMs: 300_000 }],
    [128, 'MIN_REPLICAS=5     # Up from 3', { minReplicas: 5 }],
    [131, 'AUTOSCALE_INTERVAL_S=20     # Down from 30', { autoscaleIntervalMs: 20_000 }],
    [132, 'ENGINE_GRACE_PERIOD_S=45    # Up from 30', { engineGracePeriodMs: 45_000 }],
    [155, 'MIN_REPLICAS=10', { minReplicas: 10 }],
    [178, 'HEALTH_CHECK_INTERVAL_S=20     # Down from 30', { healthCheckIntervalMs: 20_000 }],
    [179, 'HEALTH_CHECK_TIMEOUT_S=10      # Timeout for health checks', { healthCheckTimeoutMs: 10_000 }],
    [210, 'ACEXY_ENGINE_CACHE_TTL_S=5     # Cache engines for 5s', { engineCacheTtlMs: 5_000 }],
    [282, 'CIRCUIT_BREAKER_THRESHOLD=10      # More failures before opening', { circuitBreakerThreshold: 10 }],
    [283, 'CIRCUIT_BREAKER_TIMEOUT_S=300     # 5 min recovery time', { circuitBreakerTimeoutMs: 300_000 }],
    [319, 'GLUETUN_PORT_CACHE_TTL_S=120     # Up from 60', { gluetunPortTtlMs: 120_000 }],
    [404, 'MONITOR_INTERVAL_S=5', { monitorIntervalMs: 5_000 }],
    [591, 'LOG_LEVEL=DEBUG', { logLevel: 'DEBUG' }],
  ])('line %i: %s', (_line, text, expected) => {
    expect(load(parseDotenv(text))).toMatchObject(expected);
  });

  it('line 592: ACEXY_LOG_LEVEL=DEBUG', () => {
    expect(loadAllSettings(PROXY_SETTINGS, parseDotenv('ACEXY_LOG_LEVEL=DEBUG')).values.logLevel).toBe('DEBUG');
  });
});

describe('its tables and templates exist as files', () => {
  it.each([
    [386, '| **Light** (1-10 streams) | 2 | 3 | 1.0 | 30s |', 'light'],
    [387, '| **Medium** (10-50 streams) | 5 | 5 | 0.5 | 45s |', 'medium'],
    [388, '| **High** (50-100 streams) | 10 | 8 | 0.3 | 60s |', 'high'],
    [389, '| **Very High** (100+ streams) | 20 | 10 | 0.2 | 90s |', 'very-high'],
  ])('line %i: %s', (_line, row, name) => {
    const [free, concurrent, interval, timeout] = [...row.matchAll(/\| ([\d.]+)(?=s? \|)/g)].map(([, value]) => Number(value));
    expect(profile(name)).toMatchObject({
      minReplicas: free,
      maxConcurrentProvisions: concurrent,
      minProvisionIntervalMs: interval * 1000,
      apiRequestTimeoutMs: timeout * 1000,
    });
  });

  it.each([
    [398, '# .env for HA', 'high-availability', '10 10 0.2 15 5 20 20 60 180 10 300'],
    [424, '# .env for limited resources', 'constrained', '3 3 1.5 60 15 60 60 120 300 3 600'],
    [450, '# .env for balanced performance', 'balanced', '5 5 0.5 30 10 30 30 45 150 5 300'],
  ])('line %i and the ten that follow: %s', (_line, _text, name, values) => {
    const settings = [
      ...['minReplicas', 'maxConcurrentProvisions', 'minProvisionIntervalMs', 'healthCheckIntervalMs', 'monitorIntervalMs'],
      ...['engineGracePeriodMs', 'autoscaleIntervalMs', 'apiRequestTimeoutMs', 'provisionTimeoutMs'],
      ...['circuitBreakerThreshold', 'circuitBreakerTimeoutMs'],
    ];
    const numbers = values.split(' ').map(Number);
    expect(profile(name)).toMatchObject(
      Object.fromEntries(settings.map((property, index) => [property, numbers[index] * (property.endsWith('Ms') ? 1000 : 1)])),
    );
  });
});

describe('its compose files', () => {
  const compose = readFileSync(join(ROOT, 'docker-compose.yml'), 'utf8');
  const service = (name: string): string => compose.split(new RegExp(`^  ${name}:$`, 'm'))[1].split(/^ {2}\S/m)[0];

  it("line 48: orchestrator: limits: memory: 2G, cpus: '2', reservations: memory: 1G", () => {
    const orchestrator = service('orchestrator');
    expect(orchestrator).toContain('limits: { memory: 2G }');
    expect(orchestrator).toContain('reservations: { memory: 1G }');
    // Two processors as a quota, which also works on a host with fewer.
    expect(orchestrator).toContain('cpu_quota: 200000');
  });

  it("line 58: docker: limits: memory: 4G, cpus: '4'", () => {
    expect(service('docker')).toMatch(/memory: '\$\{ENGINES_MEMORY:-4G\}'/);
    expect(service('docker')).toContain('cpu_quota: 400000');
  });

  it('line 313: healthcheck: interval: 30s timeout: 10s retries: 5', () => {
    const gluetun = readFileSync(join(ROOT, 'docker-compose.gluetun.yml'), 'utf8');
    const healthcheck = gluetun.split('healthcheck:')[1].split(/^ {4}\S/m)[0];
    for (const line of ['interval: 30s', 'timeout: 10s', 'retries: 5']) expect(healthcheck).toContain(line);
  });
});

it('line 242 and the other names of INTEGRATION_IMPROVEMENTS.md are in the docs', () => {
  const handbook = readFileSync(join(ROOT, 'docs/troubleshooting.md'), 'utf8');
  for (const word of ['INTEGRATION_IMPROVEMENTS.md', 'ETag', 'ACEXY_ENGINE_CACHE_TTL_S', '202']) expect(handbook).toContain(word);
});

function profile(name: string): object {
  return load(parseDotenv(readFileSync(join(ROOT, 'deploy/profiles', `${name}.env`))));
}
