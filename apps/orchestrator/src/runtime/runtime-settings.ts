import { Setting, SettingsGroup } from '@acexy/service-kit/settings';
import { parseEngineCommand } from './process/engine-command.js';

@SettingsGroup('How engines are run')
export class RuntimeSettings {
  @Setting({
    name: 'ENGINE_RUNTIME',
    type: 'choice',
    choices: ['process', 'docker'],
    default: 'process',
    help: 'How engines run: `process`, local processes; `docker`, containers',
  })
  engineRuntime!: 'process' | 'docker';

  @Setting({
    name: 'STARTUP_TIMEOUT_S',
    type: 'seconds',
    min: 1,
    max: 3600,
    default: '25',
    help: 'Maximum seconds to create an engine and start its container or process',
  })
  startupTimeoutMs!: number;

  @Setting({
    name: 'STOP_ENGINES_ON_EXIT',
    type: 'boolean',
    default: 'false',
    help: 'Whether the service removes all engines and containers when it stops. With `false` they keep running, and the next start adopts them',
  })
  stopEnginesOnExit!: boolean;

  @Setting({
    name: 'ENGINE_HOST',
    type: 'string',
    help: 'Host name or address at which proxies reach every engine; by default the one that the container runtime reports',
  })
  engineHost?: string;

  @Setting({
    name: 'DATA_DIR',
    type: 'string',
    default: './data',
    help: 'Folder of the process runtime: records, state and logs of engines',
  })
  dataDir!: string;

  @Setting({
    name: 'ENGINE_COMMAND',
    type: 'string',
    check: parseEngineCommand,
    help: 'Engine command of the process runtime, with {http_port} {https_port} {api_port} {p2p_port} {name} {state_dir}; the simulator by default',
  })
  engineCommand?: string;
}
