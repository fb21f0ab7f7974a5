/** One reader of a progressive stream: it waits for the prebuffer, then gets the timeline at the planned pace until it ends. */
import type { ServerResponse } from 'node:http';
import { GROUP_MS, WINDOW_MS } from '../media/layout.js';
import type { EndReason } from '../metrics/engine-metrics.js';
import type { EngineContext } from '../engine-context.js';
import { PACKET_SIZE } from '@acexy/mpegts';
import { damage } from '../media/damage.js';
import type { SimulatorSettings } from '../faults/simulator-settings.js';
import type { Timeline } from '../media/timeline.js';
import type { SessionReader, PlaybackSession } from '../sessions/playback-session.js';
import { isDead } from '../sessions/statistics.js';
import { type ReaderState, earnedCredit, packetsPerPiece, planStep, sourcePacket } from './pacing.plan.js';

const STEP_MS = 80;
/** The largest write, also for a reader that is far behind. */
const MAX_WRITE_PACKETS = 4000;
const MISALIGNED_BY = 77;

export class StreamReader implements SessionReader {
  private timer: NodeJS.Timeout | null = null;
  private timeline: Timeline | null = null;
  private state: ReaderState | null = null;
  private loopFrom: number | null = null;
  private open = false;

  constructor(
    private readonly engine: EngineContext,
    private readonly session: PlaybackSession,
    readonly key: string,
    private readonly response: ServerResponse,
  ) {}

  /** Attaches to the session. The headers of the reply are sent with the first media. */
  start(): void {
    const { session, response } = this;
    this.open = true;
    session.readers.add(this);
    session.touch(this.engine.now());
    this.engine.metrics.readerOpened(session.readers.size);
    response.once('close', () => this.release());
    response.on('error', () => this.release());
    this.timer = setInterval(() => this.step(), STEP_MS);
    this.step();
  }

  sessionEnded(reason: EndReason): void {
    const { response } = this;
    if (reason === 'lost') {
      // The engine has forgotten the session: the connection stays open, and nothing more is sent.
      if (this.timer) clearInterval(this.timer);
      return;
    }
    this.release();
    if (!this.state) response.writeHead(500, { 'Content-Type': 'text/plain' });
    response.end(this.state ? undefined : 'download not found');
  }

  private release(): void {
    if (!this.open) return;
    this.open = false;
    if (this.timer) clearInterval(this.timer);
    const { session } = this;
    session.readers.delete(this);
    session.touch(this.engine.now());
    session.stalledSince = null;
    this.engine.metrics.readersOpen -= 1;
  }

  private step(): void {
    const now = this.engine.now();
    if (this.engine.faults.engineSettings.hangAll) return;
    if (!this.state && !this.begin(now)) return;
    // A reader that does not read gets nothing more and does not keep the session open.
    if (this.response.writableNeedDrain) {
      this.state!.lastStep = now;
      return;
    }
    this.advance(this.state!, this.timeline!, now);
  }

  /** Sends the headers and sets the first position when the prebuffer is full; false before. */
  private begin(now: number): boolean {
    const { session, engine, response } = this;
    session.touch(now);
    const settings = engine.faults.settingsOf(session.content);
    if (now < session.readyAt || isDead(settings) || engine.network.isStarving(session.content)) return false;
    const timeline = engine.broadcasts.timelineOf(session.content);
    const startTime = engine.broadcasts.edgeTime() - settings.burstSec * 1000;
    const position = settings.startAt === 'keyframe' ? timeline.groupStart(Math.floor(startTime / GROUP_MS)) : timeline.packetAt(startTime);
    sendHead(response, settings);
    this.timeline = timeline;
    this.state = {
      startedAt: now,
      lastStep: now,
      position,
      bytes: 0,
      credit: packetsPerPiece(settings.chunkBytes),
      stalledSince: null,
      recovered: false,
    };
    session.firstByteAt ??= now;
    return true;
  }

  private advance(state: ReaderState, timeline: Timeline, now: number): void {
    const { session, engine } = this;
    const settings = engine.faults.settingsOf(session.content);
    const packetsPerMs = timeline.bytesPerMs / PACKET_SIZE;
    state.credit = earnedCredit(state, now, packetsPerMs, settings);
    state.lastStep = now;
    const edge = timeline.packetAt(engine.broadcasts.edgeTime());
    state.position = Math.max(state.position, edge - Math.floor(WINDOW_MS * packetsPerMs));
    const step = engine.network.isStarving(session.content) ? { do: 'stall' as const } : planStep(state, now, edge, packetsPerMs, settings);
    if (step.do !== 'stall' && !settings.headersThenSilence) state.stalledSince = null;
    switch (step.do) {
      case 'wait':
        session.touch(now);
        break;
      case 'stall':
        state.stalledSince ??= now;
        session.touch(now);
        break;
      case 'recover':
        state.recovered = true;
        break;
      case 'send':
        this.send(state, timeline, Math.min(step.count, MAX_WRITE_PACKETS), now);
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
    session.stalledSince = state.stalledSince;
    session.positionTime = timeline.timeOf(state.position);
  }

  private send(state: ReaderState, timeline: Timeline, count: number, now: number): void {
    const { session, engine } = this;
    const settings = engine.faults.settingsOf(session.content);
    const loopPackets = Math.max(1, Math.floor((settings.loopLengthMs * timeline.bytesPerMs) / PACKET_SIZE));
    const loops = settings.loopAfterMs !== null && now - state.startedAt >= settings.loopAfterMs;
    this.loopFrom = loops ? (this.loopFrom ?? state.position) : null;
    const mark = { engineId: engine.options.engineId, sessionId: session.playbackSessionId, wallClock: now };
    for (let left = count; left > 0;) {
      const source = sourcePacket(state.position, this.loopFrom, loopPackets);
      const size = Math.min(left, source.left);
      let bytes = damage(timeline.read(source.from, size, mark), source.from, now - state.startedAt, settings);
      if (state.bytes === 0 && settings.misalignedStart) bytes = bytes.subarray(MISALIGNED_BY);
      this.response.write(settings.mediaReply === 'no-stream' ? Buffer.alloc(bytes.length, 'not a stream ') : bytes);
      state.position += size;
      state.bytes += bytes.length;
      session.bytesSent += bytes.length;
      engine.metrics.bytesSent += bytes.length;
      left -= size;
    }
    state.credit -= count;
  }
}

function sendHead(response: ServerResponse, { framing, mediaReply }: SimulatorSettings): void {
  response.statusCode = mediaReply === '206' ? 206 : 200;
  response.setHeader('Content-Type', 'video/mp2t');
  if (mediaReply === 'huge-length') response.setHeader('Content-Length', '9223372036854775807');
  if (framing === 'close' || mediaReply === 'icy') {
    response.shouldKeepAlive = false;
    response.removeHeader('Transfer-Encoding');
  }
  const { socket } = response;
  if (mediaReply === 'icy' && socket !== null) {
    // The next write is the head.
    const write = socket.write.bind(socket);
    socket.write = ((head: string | Buffer, ...rest: []) => {
      socket.write = write;
      return write(String(head).replace('HTTP/1.1', 'ICY'), ...rest);
    }) as typeof socket.write;
  }
  response.flushHeaders();
}
