import { Setting, SettingsGroup } from '@acexy/service-kit';
import { parseEngineCommand } from './process/engine-command.js';

@SettingsGroup('How engines are run')
export class RuntimeSettings {
  @Setting({ name: 'ENGINE_RUNTIME', type: 'choice', choices: ['process', 'docker'], default: 'process', help: 'Runtime of the engines' })
  engineRuntime!: 'process' | 'docker';

  @Setting({
    name: 'STARTUP_TIMEOUT_S',
    type: 'seconds',
    min: 1,
    max: 3600,
    default: '25',
    help: 'Maximum seconds to create and start an engine, until it runs',
  })
  startupTimeoutMs!: number;

  @Setting({
    name: 'STOP_ENGINES_ON_EXIT',
    type: 'boolean',
    default: 'false',
    help: 'Remove all engines and containers when the service stops; otherwise they keep running and the next start adopts them',
  })
  stopEnginesOnExit!: boolean;

  @Setting({ name: 'ENGINE_HOST', type: 'string', help: 'Address of all engines for proxies; overrides the one of the runtime' })
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
