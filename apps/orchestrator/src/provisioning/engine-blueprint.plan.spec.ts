import { describe, expect, it } from 'vitest';
import type { DockerPlacement } from '../runtime/docker/docker-container.plan.js';
import { BLUEPRINT_LABEL } from '../runtime/engine-labels.js';
import { type Blueprint, type BlueprintSettings, isOutdated, planBlueprint } from './engine-blueprint.plan.js';

const placement: DockerPlacement = {
  network: null,
  engineHost: null,
  remoteHost: null,
  memoryBytes: null,
  mapHttps: false,
  engineBind: '',
};
const common = { containerLabel: 'orchestrator.managed=acestream', cacheLimitGb: 10 };
const docker = { ...common, runtime: 'docker' as const, targetImage: 'engine:1', placement };
const local = { ...common, runtime: 'process' as const, engineCommand: null };

/** An engine as the runtime lists it. */
const engine = (image: string, hash?: string): { image: string; labels: Record<string, string> } => ({
  image,
  labels: hash === undefined ? {} : { [BLUEPRINT_LABEL]: hash },
});

describe('an engine is outdated', () => {
  const blueprint = planBlueprint(docker);

  it.each<[string, Partial<typeof docker>]>([
    ['TARGET_IMAGE', { targetImage: 'engine:2' }],
    ['ENGINE_CACHE_LIMIT_GB', { cacheLimitGb: 20 }],
    ['CONTAINER_LABEL', { containerLabel: 'other=label' }],
    ['ENGINE_MEMORY_LIMIT', { placement: { ...placement, memoryBytes: 2 ** 30 } }],
    ['DOCKER_NETWORK', { placement: { ...placement, network: 'tv' } }],
    ['ACE_MAP_HTTPS', { placement: { ...placement, mapHttps: true } }],
    ['ENGINE_BIND', { placement: { ...placement, engineBind: '127.0.0.1' } }],
  ])('after a change of %s, and only then', (_setting, change) => {
    expect(isOutdated(engine('engine:1', blueprint.hash), planBlueprint(docker))).toBe(false);
    expect(isOutdated(engine('engine:1', blueprint.hash), planBlueprint({ ...docker, ...change }))).toBe(true);
  });

  it('after a change of ENGINE_COMMAND, when it is a local process', () => {
    const before = planBlueprint(local);
    expect(isOutdated(engine('local process', before.hash), planBlueprint(local))).toBe(false);
    expect(isOutdated(engine('local process', before.hash), planBlueprint({ ...local, engineCommand: 'acestream' }))).toBe(true);
  });

  it('when the tag of its image has moved: Docker then lists the id of the image', () => {
    expect(isOutdated(engine('sha256:0d0d13b2', blueprint.hash), blueprint)).toBe(true);
  });

  it('not because its request named another image, but when a setting changes', () => {
    const own = engine('special:7', blueprint.ownImageHash);
    expect(isOutdated(own, planBlueprint({ ...docker, targetImage: 'engine:2' }))).toBe(false);
    expect(isOutdated(own, planBlueprint({ ...docker, cacheLimitGb: 20 }))).toBe(true);
  });

  it.each<[string, string, BlueprintSettings, boolean]>([
    ['has another image', 'engine:0', docker, true],
    ['has the same image', 'engine:1', docker, false],
    ['is a local process', 'local process', local, false],
  ])('without a hash only by its image: one that %s', (_what, image, settings, outdated) => {
    expect(isOutdated(engine(image), planBlueprint(settings) satisfies Blueprint)).toBe(outdated);
  });
});
