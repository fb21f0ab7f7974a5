import { Log } from '@acexy/service-kit';
import { Module } from '@nestjs/common';
import { DatabaseLock } from '../database/database-lock.js';
import { DatabaseModule } from '../database/database.module.js';
import { InstallationId } from '../database/installation-id.js';
import { dockerOptions, DockerSettings } from './docker/docker-settings.js';
import { INSTALLATION_LABEL } from './engine-labels.js';
import { ENGINE_RUNTIME, type EngineRuntime } from './engine-runtime.js';
import { metered } from './metered-runtime.js';
import { ProcessRuntime } from './process/process-runtime.js';
import { RuntimeSettings } from './runtime-settings.js';

/** How engines are run. EngineSync opens and closes the runtime. */
@Module({
  imports: [DatabaseModule],
  providers: [
    {
      provide: ENGINE_RUNTIME,
      inject: [RuntimeSettings, DockerSettings, InstallationId, DatabaseLock, Log],
      useFactory: async (settings: RuntimeSettings, docker: DockerSettings, installation: InstallationId, lock: DatabaseLock, log: Log) =>
        metered(await createRuntime(settings, docker, installation, lock, log)),
    },
  ],
  exports: [ENGINE_RUNTIME],
})
export class RuntimeModule {}

async function createRuntime(
  settings: RuntimeSettings,
  docker: DockerSettings,
  installation: InstallationId,
  { id, holder: name }: DatabaseLock,
  log: Log,
): Promise<EngineRuntime> {
  switch (settings.engineRuntime) {
    case 'process':
      return new ProcessRuntime(settings, log);
    case 'docker': {
      // Its client loads gRPC and SSH, which cost an orchestrator without Docker time and memory.
      const { DockerRuntime } = await import('./docker/docker-runtime.js');
      return new DockerRuntime(
        dockerOptions(docker, settings.engineHost, `${INSTALLATION_LABEL}=${installation.value}`, { id, name }),
        log.child('docker'),
      );
    }
    default:
      throw new TypeError(`unknown runtime: ${String(settings.engineRuntime satisfies never)}`);
  }
}
