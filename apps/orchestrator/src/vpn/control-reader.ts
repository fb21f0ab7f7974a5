import type { Log } from '@acexy/service-kit';
import type { Clock } from '@acexy/service-kit/primitives';
import { GluetunClient, GluetunError } from './gluetun-client.js';
import type { Tunnel } from './tunnel.js';
import type { VpnSettings } from './vpn-settings.js';

/** Timeout of one call. */
const TIMEOUT_MS = 2_000;

/** Reads the control server of one Gluetun container: the status of its VPN, the forwarded ports and the public address. */
export class ControlReader {
  private connection: { host: string; client: GluetunClient } | null = null;
  /** Time of the last reply about the ports, monotonic milliseconds; null if they must be requested again. */
  private portsReadAt: number | null = null;

  constructor(
    private readonly tunnel: Tunnel,
    private readonly settings: VpnSettings,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {}

  /** Gluetun's status: running, stopped, crashed and so on. Null without a valid reply. */
  async vpnStatus(signal: AbortSignal): Promise<string | null> {
    try {
      const status = await this.client().vpnStatus(signal);
      this.tunnel.lastError = null;
      return status;
    } catch (error) {
      this.noteError(error);
      return null;
    }
  }

  /** Requests the forwarded ports while there is none, after every reconnect, and when the cached ones have expired. */
  async refreshPorts(signal: AbortSignal): Promise<void> {
    const { tunnel } = this;
    const now = this.clock.now();
    const isCached = this.portsReadAt !== null && now - this.portsReadAt < this.settings.gluetunPortTtlMs;
    if (tunnel.forwardedPorts.length > 0 && isCached) return;
    const client = this.client();
    try {
      const [ports, publicIp] = await Promise.all([client.forwardedPorts(signal), this.publicIp(client, signal)]);
      if (ports.join() !== tunnel.forwardedPorts.join())
        this.log.info('forwarded ports changed', { vpn: tunnel.name, ports, before: tunnel.forwardedPorts });
      tunnel.forwardedPorts = ports;
      tunnel.publicIp = publicIp;
      this.portsReadAt = now;
    } catch (error) {
      this.noteError(error);
    }
  }

  /** Call after a disconnect: the VPN may forward other ports after the reconnect. */
  forgetPorts(): void {
    this.tunnel.forwardedPorts = [];
    this.portsReadAt = null;
  }

  /** Only shown to people, so the role of the control server may forbid it. */
  private async publicIp(client: GluetunClient, signal: AbortSignal): Promise<string | null> {
    try {
      return await client.publicIp(signal);
    } catch (error) {
      if (!(error instanceof GluetunError)) throw error;
      return null;
    }
  }

  /** The address changes when the container is recreated. While Docker does not answer, the last known address is used. */
  private client(): GluetunClient {
    const host = this.tunnel.owner?.host ?? this.connection?.host ?? this.tunnel.name;
    if (this.connection?.host !== host) {
      const { gluetunApiPort: port, gluetunApiKey: apiKey, gluetunApiUsername: username, gluetunApiPassword: password } = this.settings;
      const client = new GluetunClient({ host, port, credentials: { apiKey, username, password }, timeoutMs: TIMEOUT_MS });
      this.connection = { host, client };
    }
    return this.connection.client;
  }

  private noteError(error: unknown): void {
    if (!(error instanceof GluetunError)) throw error;
    const { name, connected, lastError } = this.tunnel;
    // While the tunnel is not connected, its state already explains the error.
    if (error.message !== lastError)
      this.log[connected ? 'warn' : 'debug']('Gluetun control server failed', { vpn: name, error: error.message });
    this.tunnel.lastError = error.message;
  }
}
