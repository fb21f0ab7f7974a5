/** The Docker network that engines and services share. */
import type Docker from 'dockerode';
import { isNotFound } from './docker-errors.js';

/**
 * Name of the network among those of our own container. Compose names the network `acestream` of a file `<project>_acestream`, so that installations
 * on one host do not share it. Compose 1 does not tell a container the name of its project.
 */
export function realNetworkName(name: string, own: readonly string[]): string {
  return own.find((network) => network === name) ?? own.find((network) => network.endsWith(`_${name}`)) ?? name;
}

/** Finds the real name once. Outside a container, the name of the setting is the real name. */
export class SharedNetwork {
  private found: string | null = null;

  /** @param hostname inside a container, the start of its id */
  constructor(
    private readonly docker: Docker,
    private readonly name: string,
    private readonly hostname: string,
  ) {}

  async realName(abortSignal: AbortSignal): Promise<string> {
    this.found ??= realNetworkName(this.name, await this.ownNetworks(abortSignal));
    return this.found;
  }

  private async ownNetworks(abortSignal: AbortSignal): Promise<string[]> {
    try {
      // The type of the options lacks the signal that every call accepts.
      const options = { abortSignal } as Docker.ContainerInspectOptions;
      const { NetworkSettings } = await this.docker.getContainer(this.hostname).inspect(options);
      return Object.keys(NetworkSettings.Networks);
    } catch (error) {
      if (isNotFound(error) || isRejected(error)) return [];
      throw error;
    }
  }
}

/** A filter in front of Docker may reject this call if the setting has the real name. */
function isRejected(error: unknown): boolean {
  return (error as { statusCode?: number }).statusCode === 403;
}
