import { type ChildProcessByStdio, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { docker, SIMULATOR_IMAGE } from './docker.js';
import { BEHIND_THE_TUNNEL } from './real-gluetun.js';
import { until } from './until.js';

/** Why packets cannot be captured on this machine; null if they can. */
export const LEAK_DETECTOR_MISSING: string | null = missingPart();
if (LEAK_DETECTOR_MISSING !== null) console.warn(`SKIPPED: ${LEAK_DETECTOR_MISSING}, so no test checks for packets outside the tunnel`);

function missingPart(): string | null {
  try {
    execFileSync('tcpdump', ['--version'], { stdio: 'ignore' });
    return null;
  } catch {
    return '`tcpdump` is missing';
  }
}

/**
 * Captures, on every interface of this host, packets that leave one Docker network outside the tunnel. Packets inside the tunnel appear only
 * as WireGuard packets between two containers of the network.
 */
export class VpnLeakDetector {
  private readonly packets: string[] = [];
  private readonly tcpdump: ChildProcessByStdio<null, Readable, Readable>;

  private constructor(
    private readonly network: string,
    subnet: string,
  ) {
    // Multicast stays in the network. Port 53 is Gluetun's: before the tunnel is up it looks up the VPN server.
    const leaving = `ip and src net ${subnet} and not dst net ${subnet} and not dst net 224.0.0.0/4 and not dst host 255.255.255.255 and not dst port 53`;
    this.tcpdump = spawn('tcpdump', ['-i', 'any', '-n', '-l', '--immediate-mode', leaving], { stdio: ['ignore', 'pipe', 'pipe'] });
    createInterface(this.tcpdump.stdout).on('line', (line) => this.packets.push(line));
  }

  /** Starts the capture, and checks that it detects a packet outside the tunnel. */
  static async on(network: string): Promise<VpnLeakDetector> {
    const { IPAM } = (await docker.getNetwork(network).inspect()) as { IPAM: { Config: { Subnet: string }[] } };
    const detector = new VpnLeakDetector(network, IPAM.Config[0].Subnet);
    await detector.listening();
    detector.sendOutside();
    await until('a packet outside the tunnel is detected', async () => detector.packets.length > 0, 10_000);
    detector.packets.length = 0;
    return detector;
  }

  /** The packets seen so far, as tcpdump prints them. */
  get seen(): readonly string[] {
    return this.packets;
  }

  async stop(): Promise<void> {
    const exited = once(this.tcpdump, 'exit');
    this.tcpdump.kill();
    await exited;
  }

  private async listening(): Promise<void> {
    let output = '';
    this.tcpdump.stderr.setEncoding('utf8').on('data', (text: string) => (output += text));
    await until('tcpdump listens', async () => output.includes('listening on') || Promise.reject(new Error(output)), 10_000);
  }

  /** Sends a packet like an engine that is in the network but not behind the VPN. */
  private sendOutside(): void {
    const [host, port] = BEHIND_THE_TUNNEL.split(':');
    const call = `require("node:net").connect({ host: "${host}", port: ${port}, timeout: 300 }).on("timeout", () => process.exit()).on("error", () => {})`;
    const options = ['run', '--rm', '--network', this.network, '--entrypoint', 'node'];
    execFileSync('docker', [...options, SIMULATOR_IMAGE, '-e', call], { stdio: ['ignore', 'ignore', 'pipe'] });
  }
}
