/** Checks repeatedly whether a target behind a tunnel answers, so that a dead tunnel affects this engine as it affects a real one. */
import { connect } from 'node:net';

const INTERVAL_MS = 1000;
const TIMEOUT_MS = 1000;
/** A single connection may fail; this many failures in a row mean a dead tunnel. */
const FAILURE_THRESHOLD = 2;

export class TunnelProbe {
  /** In a row. Before the first answer the tunnel counts as down. */
  private failures = FAILURE_THRESHOLD;
  private timer: NodeJS.Timeout | null = null;
  private target: string | null = null;

  constructor(private readonly onChange: () => void) {}

  get up(): boolean {
    return this.target === null || this.failures < FAILURE_THRESHOLD;
  }

  /** Probes `host:port` from now on; null stops probing. */
  watch(target: string | null): void {
    if (target === this.target) return;
    this.stop();
    this.target = target;
    if (target !== null) this.probe(target);
  }

  stop(): void {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
    this.target = null;
    this.failures = FAILURE_THRESHOLD;
  }

  private probe(target: string): void {
    const [, host, port] = /^(.*):(\d+)$/.exec(target) ?? [];
    const socket = connect({ host, port: Number(port), timeout: TIMEOUT_MS });
    const done = (answered: boolean): void => {
      socket.destroy();
      if (this.target !== target || this.timer !== null) return;
      const before = this.up;
      this.failures = answered ? 0 : this.failures + 1;
      if (this.up !== before) this.onChange();
      this.timer = setTimeout(() => {
        this.timer = null;
        this.probe(target);
      }, INTERVAL_MS);
      this.timer.unref();
    };
    socket.once('connect', () => done(true));
    socket.once('timeout', () => done(false));
    socket.once('error', () => done(false));
  }
}
