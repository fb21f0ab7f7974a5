import { loadSettings, SettingsError } from '@acexy/service-kit';
import { describe, expect, it } from 'vitest';
import { RuntimeSettings } from '../runtime-settings.js';
import type { EngineSpec } from '../engine-runtime.js';
import { engineEnvironment, fillEngineCommand, parseEngineCommand } from './engine-command.js';

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
  ])('%j is split without a shell', (template, words) => {
    expect(parseEngineCommand(template)).toEqual(words);
  });

  it('gets all placeholders filled, also several in one word', () => {
    const words = ['{name}', '--p={http_port},{https_port},{api_port},{p2p_port}', '--state-dir={state_dir}', '{{name}}'];
    expect(fillEngineCommand(words, SPEC, '/data/x y')).toEqual([
      'acestream-1a2b',
      '--p=1,2,3,4',
      '--state-dir=/data/x y',
      '{acestream-1a2b}',
    ]);
  });

  it('is a settings error when it is invalid', () => {
    const load = (command: string) => () => loadSettings(RuntimeSettings, { ENGINE_COMMAND: command });
    expect(load('engine {port}')).toThrow(SettingsError);
    expect(load('engine {port}')).toThrow('{http_port} {https_port} {api_port} {p2p_port} {name} {state_dir}');
    expect(load('engine "unclosed')).toThrow('must close its " quote');
    expect(load('engine {http_port}')).not.toThrow();
  });
});

describe('the environment of an engine', () => {
  it('contains the allowed variables of the orchestrator and those of its spec, and no secrets', () => {
    const own = {
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
    expect(engineEnvironment(SPEC, own)).toEqual({ PATH: '/bin', TZ: 'UTC', LC_ALL: 'C', SIM_BOOT_MS: '10', CONF: '--bind-all' });
  });

  it.each(['PATH', 'LD_PRELOAD', 'NODE_OPTIONS', 'PYTHONPATH', 'BASH_ENV'])('rejects %s in a request', (name) => {
    expect(() => engineEnvironment({ ...SPEC, env: { [name]: 'x' } }, {})).toThrow(name);
  });
});
