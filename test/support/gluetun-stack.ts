import type { EngineState, VpnStatus } from '@acexy/contracts';
import { removeContainersWith, simulatorImageWith } from './docker.js';
import { Pair } from './pair.js';
import { BEHIND_THE_TUNNEL, RealGluetun } from './real-gluetun.js';
import { LEAK_DETECTOR_MISSING, VpnLeakDetector } from './vpn-leak-detector.js';

export interface GluetunStackOptions {
  /** Settings of the orchestrator, in addition to those of all VPN tests. */
  orchestrator: Record<string, string>;
  /** Options of `docker run` for Gluetun. */
  gluetun?: readonly string[];
  /** Engines play only while the tunnel carries packets. */
  needTunnel?: boolean;
  watchForLeaks?: boolean;
  /** Runs after the start of the Gluetuns and before the start of the orchestrator. */
  beforePair?: () => Promise<void>;
}

/** One or more real Gluetuns in one Docker network, and an orchestrator and a proxy with engines as containers. */
export class GluetunStack {
  readonly label: string;
  readonly gluetuns: readonly RealGluetun[];
  pair!: Pair;
  leaks: VpnLeakDetector | null = null;

  /** @param name distinguishes the containers of test files that run at the same time */
  constructor(name: string, count = 1) {
    const network = `gluetun-${name}-${process.pid}`;
    this.label = `acestream-test.vpn-${name}=${process.pid}`;
    this.gluetuns = Array.from(
      { length: count },
      (_, index) => new RealGluetun(index === 0 ? network : `${network}-${index + 1}`, network),
    );
  }

  async start({ orchestrator, gluetun = [], needTunnel = true, watchForLeaks = false, beforePair }: GluetunStackOptions): Promise<void> {
    const fast = { SIM_BOOT_MS: '300', SIM_PREBUF_MS: '200' };
    const image = needTunnel
      ? simulatorImageWith('acestream-engine-simulator-vpn:test', { ...fast, SIM_TUNNEL_PROBE: BEHIND_THE_TUNNEL })
      : simulatorImageWith('acestream-engine-simulator-fast:test', fast);
    for (const each of this.gluetuns) each.start(...gluetun);
    if (watchForLeaks && LEAK_DETECTOR_MISSING === null) this.leaks = await VpnLeakDetector.on(this.gluetuns[0].network);
    await beforePair?.();
    this.pair = await Pair.start({
      orchestrator: {
        ENGINE_RUNTIME: 'docker',
        TARGET_IMAGE: image,
        IMAGE_PULL: 'never',
        CONTAINER_LABEL: this.label,
        MIN_REPLICAS: '2',
        MAX_REPLICAS: '5',
        MAX_ACTIVE_REPLICAS: '5',
        MIN_PROVISION_INTERVAL_S: '0.1',
        ...orchestrator,
      },
    });
  }

  async stop(): Promise<void> {
    await this.pair?.stop();
    await removeContainersWith(this.label);
    await this.leaks?.stop();
    for (const each of this.gluetuns) await each.remove();
    await this.gluetuns[0].removeNetwork();
  }

  status(): Promise<VpnStatus> {
    return this.pair.api('/vpn/status');
  }

  async healthyEngines(): Promise<EngineState[]> {
    return (await this.pair.engines()).filter(({ health_status }) => health_status === 'healthy');
  }
}
