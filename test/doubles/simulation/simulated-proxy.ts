/** A proxy with viewers: it leases engines, reports its sessions every second, and moves a stream whose engine is lost or drains. */
import type { LeaseGranted, LeasePurpose, ReportedSession } from '@acexy/contracts';
import { NoEngineError } from '../../../apps/orchestrator/src/leases/provisioning-outlook.js';
import type { SimulatedOrchestrator } from './simulated-orchestrator.js';
import type { SimulatedWorld } from './simulated-world.js';

interface Session {
  id: string;
  key: string;
  startedAt: string;
  /** The lease it plays on. */
  on: LeaseGranted | null;
  /** Its open lease request. */
  request: { requestId: string; purpose: LeasePurpose; exclude: string[] } | null;
}

const NEVER = new AbortController().signal;

export class SimulatedProxy {
  readonly sessions: Session[] = [];
  private ended: { stream_id: string; reason: string; ended_at: string }[] = [];
  private counter = 0;
  private seq = 0;
  private disconnectedUntil = -Infinity;

  constructor(
    readonly id: string,
    private readonly world: SimulatedWorld,
  ) {}

  arrive(): void {
    const id = `${this.id}-${++this.counter}`;
    const session: Session = { id, key: id, startedAt: new Date().toISOString(), on: null, request: null };
    this.requestEngine(session, 'start', []);
    this.sessions.push(session);
  }

  /** Keeps playing, but is disconnected from the orchestrator for a while. */
  disconnect(seconds: number): void {
    this.disconnectedUntil = performance.now() + seconds * 1000;
    this.world.disconnected.add(this.id);
  }

  reconnect(): void {
    this.disconnectedUntil = -Infinity;
    this.world.disconnected.delete(this.id);
  }

  leave(which: number, connected: SimulatedOrchestrator): void {
    if (this.sessions.length === 0) return;
    const orchestrator = this.isDisconnected ? null : connected;
    const [session] = this.sessions.splice(which % this.sessions.length, 1);
    this.ended.push({ stream_id: session.id, reason: 'the last viewer left', ended_at: new Date().toISOString() });
    this.world.playing.delete(playbackId(session));
    if (session.on) orchestrator?.leases.release(session.on.lease_id);
    if (session.request) orchestrator?.leases.release(session.request.requestId);
  }

  /** One second passes. */
  async pass(orchestrator: SimulatedOrchestrator): Promise<void> {
    for (const session of this.sessions) this.checkEngine(session);
    if (this.isDisconnected) return;
    this.reconnect();
    for (const session of this.sessions) if (session.request) await this.ask(session, session.request, orchestrator);
    this.report(orchestrator);
  }

  playingOn(): string[] {
    return this.sessions.flatMap(({ on }) => (on ? [on.engine.container_id] : []));
  }

  private get isDisconnected(): boolean {
    return performance.now() < this.disconnectedUntil;
  }

  private checkEngine(session: Session): void {
    const lost = session.on?.engine.container_id;
    if (lost === undefined || (this.world.playing.get(playbackId(session)) === lost && !this.world.hung.has(lost))) return;
    session.on = null;
    this.world.playing.delete(playbackId(session));
    if (!session.request) this.requestEngine(session, 'failover', [lost]);
  }

  private async ask(session: Session, request: NonNullable<Session['request']>, { leases }: SimulatedOrchestrator): Promise<void> {
    try {
      const answer = await leases.ask(
        {
          request_id: request.requestId,
          proxy_id: this.id,
          boot_id: this.id,
          key_type: 'content_id',
          key: session.key,
          exclude: request.exclude,
          purpose: request.purpose,
          wait_ms: 0,
        },
        NEVER,
      );
      if ('state' in answer) return;
      if (session.on) leases.release(session.on.lease_id);
      Object.assign(session, { on: answer, request: null });
      this.world.playing.set(playbackId(session), answer.engine.container_id);
    } catch (error) {
      // It requests again in the next second.
      if (!(error instanceof NoEngineError)) throw error;
    }
  }

  private report({ reports }: SimulatedOrchestrator): void {
    const { leave } = reports.take(this.id, {
      boot_id: this.id,
      seq: ++this.seq,
      sessions: this.sessions.flatMap(toReported),
      ended: this.ended,
    });
    this.ended = [];
    for (const session of this.sessions) {
      const drained = leave.find(({ container_id: id }) => id === session.on?.engine.container_id);
      if (drained && !session.request) this.requestEngine(session, 'failover', [drained.container_id]);
    }
  }

  private requestEngine(session: Session, purpose: LeasePurpose, exclude: string[]): void {
    session.request = { requestId: `request-${session.id}-${++this.counter}`, purpose, exclude };
  }
}

function playbackId({ id }: Session): string {
  return `session-${id}`;
}

function toReported(session: Session): ReportedSession[] {
  const { id, key, startedAt, on } = session;
  if (!on) return [];
  return [
    {
      stream_id: id,
      lease_id: on.lease_id,
      container_id: on.engine.container_id,
      host: on.engine.host,
      port: on.engine.port,
      key_type: 'content_id',
      key,
      infohash: null,
      state: 'playing',
      playback_session_id: playbackId(session),
      stat_url: `http://x/ace/stat/${id}/1`,
      command_url: `http://x/ace/cmd/${id}/1`,
      is_live: 1,
      viewers: 1,
      failovers: 0,
      started_at: startedAt,
    } as unknown as ReportedSession,
  ];
}
