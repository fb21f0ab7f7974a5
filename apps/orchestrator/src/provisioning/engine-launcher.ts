import { randomBytes } from 'node:crypto';
import { Log } from '@acexy/service-kit';
import { Clock } from '@acexy/service-kit/primitives';
import { Inject, Injectable } from '@nestjs/common';
import { InstallationId } from '../database/installation-id.js';
import { ENGINE_RUNTIME, type EngineInstance, type EngineRuntime, type EngineSpec, PortTakenError } from '../runtime/engine-runtime.js';
import { NEVER_ANSWERED } from '../engines/engine.js';
import { PortSettings } from '../engines/port-settings.js';
import { DockerSettings } from '../runtime/docker/docker-settings.js';
import { RuntimeSettings } from '../runtime/runtime-settings.js';
import { ProvisioningSettings } from './provisioning-settings.js';
import { VpnSlots } from '../vpn/vpn-slots.service.js';
import { EngineBlueprint } from './engine-blueprint.js';
import {
  type ContainerRequest,
  type EngineRequest,
  EngineRequestError,
  planContainerSpec,
  planEngineSpec,
  requestedPorts,
} from './engine-spec.plan.js';
import { firstOffset, type NoPortsLeftError, PortAllocator, PortOwnedError } from './port-allocator.js';

/** How many sets of ports are tried for one engine when other programs use some of them. */
const MAX_PORT_TRIES = 5;

/** A unique name for a new engine or container. */
export function newName(prefix: string): string {
  return `${prefix}-${randomBytes(4).toString('hex')}`;
}

/** Allocates ports and a VPN slot, starts an engine or container with them, and releases them when the start fails. */
@Injectable()
export class EngineLauncher {
  private readonly ports: PortAllocator;
  private readonly log: Log;

  constructor(
    @Inject(ENGINE_RUNTIME) private readonly runtime: EngineRuntime,
    private readonly settings: ProvisioningSettings,
    private readonly runtimeSettings: RuntimeSettings,
    private readonly docker: DockerSettings,
    ports: PortSettings,
    private readonly installation: InstallationId,
    private readonly vpnSlots: VpnSlots,
    private readonly blueprint: EngineBlueprint,
    private readonly clock: Clock,
    log: Log,
  ) {
    this.log = log.child('provisioning');
    const { portRangeHost: http, httpsRange: https, apiRange: api, p2pRange: p2p } = ports;
    this.ports = new PortAllocator({ http, https, api, p2p }, firstOffset(installation.value));
  }

  /** Number of engines that own ports: they exist or are being started. */
  get engineCount(): number {
    return this.ports.engineCount;
  }

  /** Why a new engine would get no ports; null if it would. */
  portShortage(): NoPortsLeftError | null {
    return this.ports.shortage(this.clock.now());
  }

  /** Resolves when the engine runs; its API may not answer yet. */
  async startEngine(request: EngineRequest, name: string, signal: AbortSignal): Promise<EngineInstance> {
    const requested = requestedPorts(request);
    const vpnSlot = this.vpnSlots.take(name);
    const ranges = vpnSlot ? { http: vpnSlot.httpPorts } : {};
    let p2p = vpnSlot?.p2pPort ?? undefined;
    try {
      for (let tries = 1; ; tries += 1) {
        if (p2p !== undefined && this.ports.ownerOf(p2p) !== undefined) p2p = undefined;
        const ports = this.ports.allocate(name, this.clock.now(), { ...requested, p2p }, ranges);
        try {
          const spec = planEngineSpec(request, {
            ...this.specContext(name),
            ports,
            blueprint: this.blueprint.hashFor(request.image),
            httpsOnHost: this.runtime.name === 'process' || this.docker.mapHttps,
            cacheLimitGb: this.settings.engineCacheLimitGb,
            vpnSlot,
          });
          return await this.startWithinLimit(spec, signal);
        } catch (error) {
          this.ports.release(name);
          if (!(error instanceof PortTakenError)) throw error;
          this.ports.setAside(error.port, this.clock.now());
          if (error.port === p2p) p2p = undefined;
          if (tries === MAX_PORT_TRIES || signal.aborted || Object.values(requested).includes(error.port)) throw error;
          this.log.info('port in use, trying others', { port: error.port, tries });
        }
      }
    } catch (error) {
      this.vpnSlots.release(name);
      throw error;
    }
  }

  /** Resolves when the container runs. */
  async startContainer(request: ContainerRequest, signal: AbortSignal): Promise<EngineInstance> {
    const name = newName(request.namePrefix);
    try {
      this.ports.reserve(name, Object.values(request.ports));
      return await this.startWithinLimit(planContainerSpec(request, this.specContext(name)), signal);
    } catch (error) {
      this.ports.release(name);
      // The caller chose the ports, so only the caller can choose others.
      if (error instanceof PortOwnedError || error instanceof PortTakenError)
        throw new EngineRequestError(`ports: ${error.message}, choose another`);
      throw error;
    }
  }

  /** Records the ports of an instance that exists, unless they are recorded already. */
  adopt({ id, kind, name, ports, published }: EngineInstance): void {
    if (this.ports.has(name)) return;
    if (kind === 'generic') {
      const hostPorts = Object.values(published).flatMap((bindings) => (bindings ?? []).map(({ HostPort }) => Number(HostPort)));
      // The container runs, so it uses every one of its ports that has no other owner.
      const unowned = hostPorts.filter((port) => this.ports.ownerOf(port) === undefined);
      return this.ports.reserve(name, unowned);
    }
    for (const conflict of this.ports.adopt(name, ports))
      this.log.warn('two engines have the same port', { engine_id: id, port: conflict.port, other: conflict.owner });
  }

  /** Releases the ports of an instance that is gone. */
  release({ name }: EngineInstance): void {
    this.ports.release(name);
  }

  /** Why an engine never answered, and where its own output is. */
  describeNeverReady({ name }: EngineInstance, reason = NEVER_ANSWERED): string {
    return `engine ${name} ${reason}; while it runs, ${this.outputOf(name)} shows why`;
  }

  /** Where the output of an engine is. */
  outputOf(name: string): string {
    return this.runtime.name === 'docker' ? `\`docker logs ${name}\`` : `engine.log in its folder below ${this.runtimeSettings.dataDir}`;
  }

  private specContext(name: string) {
    return { name, containerLabel: this.settings.containerLabel, installationId: this.installation.value };
  }

  /** After STARTUP_TIMEOUT_S, or when `signal` aborts, it removes what it started. */
  private async startWithinLimit(spec: EngineSpec, signal: AbortSignal): Promise<EngineInstance> {
    const limitMs = this.runtimeSettings.startupTimeoutMs;
    const startup = new AbortController();
    const timeout = new Error(`the engine was not running after ${limitMs / 1000} s (STARTUP_TIMEOUT_S)`);
    const timer = this.clock.setTimeout(() => startup.abort(timeout), limitMs);
    const either = AbortSignal.any([signal, startup.signal]);
    try {
      const instance = await this.runtime.start(spec, either);
      if (!either.aborted) return instance;
      // It started just when it was aborted: no other code would remove it.
      await this.runtime.remove(instance.id, 0);
      throw either.reason;
    } catch (error) {
      throw either.aborted ? either.reason : error;
    } finally {
      this.clock.clearTimeout(timer);
    }
  }
}
