import { loadAllSettings, type SettingFault, SettingsError } from '@acexy/service-kit';
import { describe, expect, it } from 'vitest';
import { loadOrchestratorSettings, ORCHESTRATOR_SETTINGS } from './settings.js';

function faultsOf(environment: Record<string, string>): SettingFault[] {
  try {
    loadOrchestratorSettings(environment);
    return [];
  } catch (error) {
    return [...(error as SettingsError).faults];
  }
}

describe('the settings of the orchestrator', () => {
  it('are valid without any variable', () => {
    expect(loadOrchestratorSettings({})).toMatchObject({
      port: 8000,
      minReplicas: 3,
      maxReplicas: 20,
      engineRuntime: 'process',
      engineLimit: 20,
    });
  });

  it.each([
    [{ MIN_REPLICAS: '30' }, 'MIN_REPLICAS', 'must not be more than MAX_REPLICAS (20)'],
    [{ DB_URL: 'mysql://db' }, 'DB_URL', 'must be'],
    [{ CONTAINER_LABEL: '=value' }, 'CONTAINER_LABEL', 'must be'],
    [{ CORS_ORIGINS: 'tv.example/x' }, 'CORS_ORIGINS', 'must be origins'],
    [{ DOCKER_HOST: 'docker:2375' }, 'DOCKER_HOST', 'must be unix://'],
    [{ ENGINE_COMMAND: 'engine {port}' }, 'ENGINE_COMMAND', 'placeholders'],
    [{ GLUETUN_API_PASSWORD: 'p' }, 'GLUETUN_API_PASSWORD', 'needs GLUETUN_API_USERNAME'],
    [{ GLUETUN_CONTAINER_NAMES: 'a,b' }, 'GLUETUN_CONTAINER_NAMES', 'must have only one name when ENGINE_RUNTIME=process'],
    [{ GLUETUN_CONTAINER_NAME: 'a', PORT_RANGE_HOST: '19000-19009', MAX_ACTIVE_REPLICAS: '20' }, 'PORT_RANGE_HOST', 'must have 20 ports'],
    [{ MIN_REPLICAS: '3', MAX_REPLICAS: '1' }, 'MIN_REPLICAS', 'must not be more than MAX_REPLICAS (1)'],
    [{ GLUETUN_CONTAINER_NAMES: 'a,b', ENGINE_RUNTIME: 'docker', PORT_RANGE_HOST: '19000-19000' }, 'PORT_RANGE_HOST', 'must have 40 ports'],
  ])('report the fault of %j', (environment, name, problem) => {
    expect(faultsOf(environment)).toEqual([
      { name, value: expect.any(String) as string, problem: expect.stringContaining(problem) as string },
    ]);
  });

  it('report the faults of all groups at once', () => {
    const environment = { APP_PORT: '0', MIN_REPLICAS: '30', HEALTH_FAILURE_THRESHOLD: 'x', GLUETUN_CONTAINER_NAMES: 'a,b' };
    expect(faultsOf(environment).map(({ name }) => name)).toEqual([
      'APP_PORT',
      'MIN_REPLICAS',
      'HEALTH_FAILURE_THRESHOLD',
      'GLUETUN_CONTAINER_NAMES',
    ]);
  });

  it('do not report a fault that follows from another one', () => {
    expect(faultsOf({ MAX_REPLICAS: 'x', MIN_REPLICAS: '30' }).map(({ name }) => name)).toEqual(['MAX_REPLICAS']);
  });

  it.each([
    [{ MAX_REPLICAS: '1' }, { minReplicas: 1, maxReplicas: 1 }, 'MIN_REPLICAS', '1', 'must not be more than MAX_REPLICAS (1)'],
    [
      { GLUETUN_CONTAINER_NAME: 'a', PORT_RANGE_HOST: '19000-19009' },
      { maxActiveReplicas: 10 },
      'MAX_ACTIVE_REPLICAS',
      '10',
      'PORT_RANGE_HOST must have 20 ports',
    ],
  ])('%j alone starts: the default that contradicts it gives way, and that is reported', (environment, values, name, value, reason) => {
    expect(loadOrchestratorSettings(environment)).toMatchObject(values);
    expect(loadAllSettings(ORCHESTRATOR_SETTINGS, environment).remarks).toEqual([
      { kind: 'default changed', name, value, reason: expect.stringContaining(reason) as string },
    ]);
  });

  it('limit the engines behind VPNs to MAX_ACTIVE_REPLICAS for each', () => {
    const vpns = { ENGINE_RUNTIME: 'docker', GLUETUN_CONTAINER_NAMES: 'a,b' };
    expect(loadOrchestratorSettings({ ...vpns, MAX_ACTIVE_REPLICAS: '5' }).engineLimit).toBe(10);
    expect(loadOrchestratorSettings({ ...vpns, MAX_REPLICAS: '7' }).engineLimit).toBe(7);
  });
});

describe('faults between settings groups', () => {
  const vpns = { GLUETUN_CONTAINER_NAMES: 'a,b', PORT_RANGE_HOST: '19000-19999' };

  it('are none with Docker and enough ports', () => {
    expect(faultsOf({ ...vpns, ENGINE_RUNTIME: 'docker' })).toEqual([]);
  });

  it('are both reported', () => {
    expect(faultsOf({ ...vpns, MAX_ACTIVE_REPLICAS: '501' }).map(({ name }) => name)).toEqual([
      'GLUETUN_CONTAINER_NAMES',
      'PORT_RANGE_HOST',
    ]);
  });
});
