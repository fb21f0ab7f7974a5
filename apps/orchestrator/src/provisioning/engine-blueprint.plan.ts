/** What new engines are made from, for the comparison with engines that run. Pure. */
import { createHash } from 'node:crypto';
import { planContainer, type DockerPlacement } from '../runtime/docker/docker-container.plan.js';
import { BLUEPRINT_LABEL } from '../runtime/engine-labels.js';
import type { EngineInstance } from '../runtime/engine-runtime.js';
import { planEngineSpec } from './engine-spec.plan.js';

/** The settings that decide what an engine is made from. */
export type BlueprintSettings = { containerLabel: string; cacheLimitGb: number } & (
  { runtime: 'docker'; targetImage: string; placement: DockerPlacement } | { runtime: 'process'; engineCommand: string | null }
);

export interface Blueprint {
  /** For an engine with TARGET_IMAGE. */
  hash: string;
  /** For an engine whose request named the image. */
  ownImageHash: string;
  /** Null when engines have no images. */
  image: string | null;
}

/** A change of any setting that a new engine would be made from changes the hashes: the plan of an engine without ports and name is hashed. */
export function planBlueprint(settings: BlueprintSettings): Blueprint {
  const { containerLabel, cacheLimitGb } = settings;
  const spec = planEngineSpec(
    {},
    {
      name: '',
      containerLabel,
      installationId: '',
      blueprint: '',
      ports: { http: 1, https: 2, api: 3, p2p: 4 },
      httpsOnHost: true,
      cacheLimitGb,
      vpnSlot: null,
    },
  );
  if (settings.runtime === 'process') {
    const hash = hashOf({ ...spec, command: settings.engineCommand });
    return { hash, ownImageHash: hash, image: null };
  }
  const { targetImage: image, placement } = settings;
  return { hash: hashOf(planContainer(spec, image, placement)), ownImageHash: hashOf(planContainer(spec, '', placement)), image };
}

/** An engine without a hash was made by an earlier version: only its image is compared. An image whose tag has moved is listed under its id. */
export function isOutdated({ image, labels }: Pick<EngineInstance, 'image' | 'labels'>, blueprint: Blueprint): boolean {
  const made = labels[BLUEPRINT_LABEL];
  const otherImage = blueprint.image !== null && image !== blueprint.image;
  if (made === undefined) return otherImage;
  if (made === blueprint.hash) return otherImage;
  return made !== blueprint.ownImageHash;
}

function hashOf(plan: object): string {
  return createHash('sha256').update(JSON.stringify(plan)).digest('hex').slice(0, 16);
}
