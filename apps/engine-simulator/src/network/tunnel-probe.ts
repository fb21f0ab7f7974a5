/** Asks again and again whether something behind a tunnel answers, so that a dead tunnel looks to this engine as it does to a real one. */
import { connect } from 'node:net';

const INTERVAL_MS = 1000;
const LIMIT_MS = 1000;
/** One connection may be lost on the way; so many in a row are a dead tunnel. */
const FAILURES = 2;

export class TunnelProbe {
  /** In a row; as many as count until the first answer: who has not reached anything yet has no network. */
  private failures = FAILURES;
  private timer: NodeJS.Timeout | null = null;
  private target: string | null = null;

  constructor(private readonly onChange: () => void) {}

  get up(): boolean {
    return this.target === null || this.failures < FAILURES;
  }

  /** Watches `host:port` from now on; null watches nothing. */
  watch(target: string | null): void {
    if (target === this.target) return;
    this.stop();
    this.target = target;
    if (target !== null) this.ask(target);
  }

  stop(): void {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
    this.target = null;
    this.failures = FAILURES;
  }

  private ask(target: string): void {
    const [, host, port] = /^(.*):(\d+)$/.exec(target) ?? [];
    const socket = connect({ host, port: Number(port), timeout: LIMIT_MS });
    const done = (answered: boolean): void => {
      socket.destroy();
      if (this.target !== target || this.timer !== null) return;
      const before = this.up;
      this.failures = answered ? 0 : this.failures + 1;
      if (this.up !== before) this.onChange();
      this.timer = setTimeout(() => {
        this.timer = null;
        this.ask(target);
      }, INTERVAL_MS);
      this.timer.unref();
    };
    socket.once('connect', () => done(true));
    socket.once('timeout', () => done(false));
    socket.once('error', () => done(false));
  }
}
