/** From a call of `POST /provision` to the container to be started, which is no engine: named, labelled and published as the caller says. Pure. */
import { INSTALLATION_LABEL } from '../runtime/engine-labels.js';
import type { EngineInstance, EngineSpec } from '../runtime/engine-runtime.js';
import { parseManagementLabel } from './management-label.js';

export interface ContainerRequest {
  /** TARGET_IMAGE without it. */
  image?: string;
  env: Readonly<Record<string, string>>;
  labels: Readonly<Record<string, string>>;
  /** Port of the container ("40001/tcp") → port of the host. */
  ports: Readonly<Record<string, number>>;
  namePrefix: string;
}

export interface ContainerSpecContext {
  name: string;
  /** CONTAINER_LABEL, `key=value`. */
  containerLabel: string;
  installationId: string;
}

const NO_PORTS = { http: 0, https: 0, api: 0, p2p: 0 };

export function planContainerSpec(request: ContainerRequest, context: ContainerSpecContext): EngineSpec {
  const management = parseManagementLabel(context.containerLabel);
  return {
    name: context.name,
    kind: 'generic',
    ...(request.image !== undefined && { image: request.image }),
    ports: NO_PORTS,
    publish: request.ports,
    env: request.env,
    labels: {
      ...withoutOurs(request.labels),
      // Ours last. Not the label of engines: whoever clears those away by their label keeps what is none.
      [management.key]: management.value,
      [INSTALLATION_LABEL]: context.installationId,
    },
  };
}

/** The ports of the host that a container has. */
export function hostPortsOf(published: EngineInstance['published']): number[] {
  return Object.values(published).flatMap((bindings) => (bindings ?? []).map(({ HostPort }) => Number(HostPort)));
}

/** What begins like our own labels would pass for one of them. */
function withoutOurs(labels: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(labels).filter(([name]) => !/^acestream-orchestrator(\.|$)/.test(name)));
}
