/** One reader of a progressive stream: waits for the prebuffer, then sends the timeline at the pace of the plan until something ends it. */
import type { ServerResponse } from 'node:http';
import { GROUP_MS, WINDOW_MS } from '../media/layout.js';
import type { SessionEnd } from '../counters/counters.js';
import type { EngineParts } from '../engine-parts.js';
import { PACKET_SIZE } from '@acexy/mpegts';
import { damage } from '../media/damage.js';
import type { Timeline } from '../media/timeline.js';
import type { Dependant, Session } from '../sessions/session.js';
import { isDead } from '../sessions/stat.js';
import { type FlowState, earnedCredit, packetsPerPiece, planStep, sourcePacket } from './flow.plan.js';

const STEP_MS = 80;
/** No single write is larger, however far a slow reader lies behind. */
const MAX_WRITE_PACKETS = 4000;
const MISALIGNED_BY = 77;

export class StreamReader implements Dependant {
  private timer: NodeJS.Timeout | null = null;
  private timeline: Timeline | null = null;
  private flow: FlowState | null = null;
  private loopFrom: number | null = null;
  private open = false;

  constructor(
    private readonly engine: EngineParts,
    private readonly session: Session,
    private readonly key: string,
    private readonly response: ServerResponse,
  ) {}

  /** Attaches to the session; the reply's headers come when there is something to send. */
  start(): void {
    const { session, response } = this;
    this.open = true;
    session.readers.set(this.key, session.readersOf(this.key) + 1);
    session.dependants.add(this);
    session.touch(this.engine.now());
    this.engine.counters.readerOpened(session.readerCount);
    response.once('close', () => this.release());
    response.on('error', () => this.release());
    this.timer = setInterval(() => this.step(), STEP_MS);
    this.step();
  }

  sessionEnded(how: SessionEnd): void {
    const { response } = this;
    if (how === 'lost') return this.fallSilent();
    this.release();
    if (!this.flow) response.writeHead(500, { 'Content-Type': 'text/plain' });
    response.end(this.flow ? undefined : 'download not found');
  }

  /** The engine has forgotten the session: the connection stays, and nothing comes any more. */
  private fallSilent(): void {
    if (this.timer) clearInterval(this.timer);
    this.session.dependants.delete(this);
  }

  private release(): void {
    if (!this.open) return;
    this.open = false;
    if (this.timer) clearInterval(this.timer);
    const { session } = this;
    session.dependants.delete(this);
    session.readers.set(this.key, session.readersOf(this.key) - 1);
    session.touch(this.engine.now());
    session.stalledSince = null;
    this.engine.counters.readersOpen -= 1;
  }

  private step(): void {
    const now = this.engine.now();
    if (this.engine.faults.engine.hangAll) return;
    if (!this.flow && !this.begin(now)) return;
    // A reader that does not read gets nothing more, and is not activity.
    if (this.response.writableNeedDrain) {
      this.flow!.lastStep = now;
      return;
    }
    this.advance(this.flow!, this.timeline!, now);
  }

  /** The prebuffer is full: sends the headers and takes the starting place. */
  private begin(now: number): boolean {
    const { session, engine, response } = this;
    session.touch(now);
    const knobs = engine.faults.of(session.content);
    if (now < session.readyAt || isDead(knobs) || engine.network.starves(session.content)) return false;
    const timeline = engine.broadcasts.timelineOf(session.content);
    const startTime = engine.broadcasts.edgeTime() - knobs.burstSec * 1000;
    const position = knobs.startAt === 'keyframe' ? timeline.groupStart(Math.floor(startTime / GROUP_MS)) : timeline.packetAt(startTime);
    response.statusCode = 200;
    response.setHeader('Content-Type', 'video/mp2t');
    if (knobs.framing === 'close') {
      response.shouldKeepAlive = false;
      response.removeHeader('Transfer-Encoding');
    }
    response.flushHeaders();
    this.timeline = timeline;
    this.flow = {
      startedAt: now,
      lastStep: now,
      position,
      bytes: 0,
      credit: packetsPerPiece(knobs.chunkBytes),
      stalledSince: null,
      recovered: false,
    };
    session.firstByteAt ??= now;
    return true;
  }

  private advance(flow: FlowState, timeline: Timeline, now: number): void {
    const { session, engine } = this;
    const knobs = engine.faults.of(session.content);
    const packetsPerMs = timeline.bytesPerMs / PACKET_SIZE;
    flow.credit = earnedCredit(flow, now, packetsPerMs, knobs);
    flow.lastStep = now;
    const edge = timeline.packetAt(engine.broadcasts.edgeTime());
    flow.position = Math.max(flow.position, edge - Math.floor(WINDOW_MS * packetsPerMs));
    const step = engine.network.starves(session.content) ? { do: 'stall' as const } : planStep(flow, now, edge, packetsPerMs, knobs);
    if (step.do !== 'stall' && !knobs.headersThenSilence) flow.stalledSince = null;
    switch (step.do) {
      case 'wait':
        session.touch(now);
        break;
      case 'stall':
        flow.stalledSince ??= now;
        session.touch(now);
        break;
      case 'recover':
        flow.recovered = true;
        break;
      case 'send':
        this.send(flow, timeline, Math.min(step.count, MAX_WRITE_PACKETS), now);
        session.touch(now);
        break;
      case 'end':
        this.release();
        this.response.end();
        break;
      case 'reset':
        this.release();
        this.response.socket?.resetAndDestroy();
        break;
      default:
        return step satisfies never;
    }
    session.stalledSince = flow.stalledSince;
    session.positionTime = timeline.timeOf(flow.position);
  }

  private send(flow: FlowState, timeline: Timeline, count: number, now: number): void {
    const { session, engine } = this;
    const knobs = engine.faults.of(session.content);
    const loopPackets = Math.max(1, Math.floor((knobs.loopLengthMs * timeline.bytesPerMs) / PACKET_SIZE));
    const loops = knobs.loopAfterMs !== null && now - flow.startedAt >= knobs.loopAfterMs;
    this.loopFrom = loops ? (this.loopFrom ?? flow.position) : null;
    const mark = { engineId: engine.options.engineId, sessionId: session.playbackSessionId, wallClock: now };
    for (let left = count; left > 0;) {
      const source = sourcePacket(flow.position, this.loopFrom, loopPackets);
      const size = Math.min(left, source.left);
      let bytes = damage(timeline.read(source.from, size, mark), source.from, now - flow.startedAt, knobs);
      if (flow.bytes === 0 && knobs.misalignedStart) bytes = bytes.subarray(MISALIGNED_BY);
      this.response.write(bytes);
      flow.position += size;
      flow.bytes += bytes.length;
      session.bytesSent += bytes.length;
      engine.counters.bytesSent += bytes.length;
      left -= size;
    }
    flow.credit -= count;
  }
}
