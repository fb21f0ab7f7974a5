import { createLog } from '@acexy/service-kit';
import type { CreateRules } from '../../apps/orchestrator/src/docker-filter/container-create.policy.js';
import { DockerFilter } from '../../apps/orchestrator/src/docker-filter/docker-filter.js';
import { dockerEndpoint } from '../../apps/orchestrator/src/runtime/docker/docker-endpoint.js';

/** The filter of the compose files, in this process, in front of a Docker Engine. */
export class FilteredDocker {
  private constructor(
    private readonly filter: DockerFilter,
    readonly port: number,
    /** The calls that the filter refused, with the reason. */
    readonly refused: readonly string[],
  ) {}

  static async open(rules: Partial<Omit<CreateRules, 'project'>> & { targetImage: string }, dockerHost?: string): Promise<FilteredDocker> {
    const refused: string[] = [];
    const write = (line: string): void => {
      const { msg, method, path, reason } = JSON.parse(line) as Record<string, string>;
      if (msg === 'Docker call refused') refused.push(`${method} ${path}: ${reason}`);
    };
    const log = createLog({ service: 'docker-filter', level: 'INFO', destination: { write } });
    const filter = new DockerFilter(dockerEndpoint(dockerHost), { otherImages: [], network: null, vpnContainers: [], ...rules }, log);
    return new FilteredDocker(filter, await filter.listen(0, '127.0.0.1'), refused);
  }

  /** Value for DOCKER_HOST. */
  get host(): string {
    return `tcp://127.0.0.1:${this.port}`;
  }

  close(): Promise<void> {
    return this.filter.close();
  }
}
