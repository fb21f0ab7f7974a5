import { Log } from '@acexy/service-kit';
import { Inject, Injectable } from '@nestjs/common';
import { EngineRegistry } from '../engines/engine-registry.js';
import { DockerSettings, dockerPlacement } from '../runtime/docker/docker-settings.js';
import { ENGINE_RUNTIME, type EngineRuntime } from '../runtime/engine-runtime.js';
import { RuntimeSettings } from '../runtime/runtime-settings.js';
import { type Blueprint, isOutdated, planBlueprint } from './engine-blueprint.plan.js';
import { ProvisioningSettings } from './provisioning-settings.js';

/** Marks the engines that were made from another image or other settings than a new engine would be. */
@Injectable()
export class EngineBlueprint {
  private readonly blueprint: Blueprint;

  constructor(
    @Inject(ENGINE_RUNTIME) { name }: EngineRuntime,
    { containerLabel, engineCacheLimitGb: cacheLimitGb }: ProvisioningSettings,
    { engineHost, engineCommand }: RuntimeSettings,
    docker: DockerSettings,
    registry: EngineRegistry,
    log: Log,
  ) {
    this.blueprint = planBlueprint({
      containerLabel,
      cacheLimitGb,
      ...(name === 'docker'
        ? { runtime: name, targetImage: docker.targetImage, placement: dockerPlacement(docker, engineHost, null) }
        : { runtime: name, engineCommand: engineCommand ?? null }),
    });
    registry.judgeOutdated((instance) => isOutdated(instance, this.blueprint));
    registry.onChange(({ type, engine }) => {
      if (type === 'added' && engine.adopted && engine.outdated)
        log.child('provisioning').info('outdated engine adopted', { engine_id: engine.id, image: engine.instance.image });
    });
  }

  /** The label value of an engine. @param image that its request names; undefined: TARGET_IMAGE */
  hashFor(image: string | undefined): string {
    return image === undefined ? this.blueprint.hash : this.blueprint.ownImageHash;
  }
}
