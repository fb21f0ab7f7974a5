import { loadSettings, SettingsError } from '@acexy/service-kit';
import { describe, expect, it } from 'vitest';
import { OrchestratorSettings } from '../../settings.js';
import type { EngineSpec } from '../engine-runtime.js';
import { fillEngineCommand, parseEngineCommand } from './engine-command.js';
import { engineEnvironment } from './engine-environment.js';

const SPEC: EngineSpec = {
  name: 'acestream-1a2b',
  kind: 'acestream',
  env: { CONF: '--bind-all' },
  labels: {},
  ports: { http: 1, https: 2, api: 3, p2p: 4 },
};

describe('the engine command', () => {
  it.each([
    ['engine --http-port {http_port}', ['engine', '--http-port', '{http_port}']],
    ['  a\t b\n c ', ['a', 'b', 'c']],
    [`"/opt/my engine/run" 'x y' a\\ b`, ['/opt/my engine/run', 'x y', 'a b']],
    [`a"b c"d ''`, ['ab cd', '']],
    [`'a\\b' "c\\"d"`, ['a\\b', 'c"d']],
    ['run; rm -rf / && $(boom) `x` > f', ['run;', 'rm', '-rf', '/', '&&', '$(boom)', '`x`', '>', 'f']],
  ])('%j is parted without a shell', (template, words) => {
    expect(parseEngineCommand(template)).toEqual(words);
  });

  it('gets every placeholder filled, several in one word too', () => {
    const words = ['{name}', '--p={http_port},{https_port},{api_port},{p2p_port}', '--state-dir={state_dir}', '{{name}}'];
    expect(fillEngineCommand(words, SPEC, '/data/x y')).toEqual([
      'acestream-1a2b',
      '--p=1,2,3,4',
      '--state-dir=/data/x y',
      '{acestream-1a2b}',
    ]);
  });

  it('is a fault of the settings where it cannot be understood', () => {
    const load = (command: string) => () => loadSettings(OrchestratorSettings, { ENGINE_COMMAND: command });
    expect(load('engine {port}')).toThrow(SettingsError);
    expect(load('engine {port}')).toThrow('{http_port} {https_port} {api_port} {p2p_port} {name} {state_dir}');
    expect(load('engine "unclosed')).toThrow('must close its " quote');
    expect(load('engine {http_port}')).not.toThrow();
  });
});

describe('the environment of an engine', () => {
  it('is what it needs of ours and what its spec says, and nothing that is secret', () => {
    const ours = {
      PATH: '/bin',
      TZ: 'UTC',
      LC_ALL: 'C',
      SIM_BOOT_MS: '10',
      API_KEY: 'k',
      ACEXY_ORCH_APIKEY: 'k',
      DB_URL: 'd',
      DOCKER_HOST: 'h',
      SIMON: 'x',
      GONE: undefined,
    };
    expect(engineEnvironment(SPEC, ours)).toEqual({ PATH: '/bin', TZ: 'UTC', LC_ALL: 'C', SIM_BOOT_MS: '10', CONF: '--bind-all' });
  });

  it.each(['PATH', 'LD_PRELOAD', 'NODE_OPTIONS', 'PYTHONPATH', 'BASH_ENV'])('does not take %s from a request', (name) => {
    expect(() => engineEnvironment({ ...SPEC, env: { [name]: 'x' } }, {})).toThrow(name);
  });
});
