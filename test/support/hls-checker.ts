/**
 * An independent checker of HLS. It reads playlists by RFC 8216 and segments by ISO/IEC 13818-1 with its own parsers, and reports every violation of what a
 * player may rely on. It shares no code with the product, so both cannot have the same error.
 */

export interface ListedSegment {
  readonly sequence: number;
  readonly uri: string;
  readonly seconds: number;
  /** Number of discontinuities of the stream up to and including the segment. */
  readonly discontinuity: number;
  readonly tagged: boolean;
}

export interface Playlist {
  readonly target: number;
  readonly sequence: number;
  readonly discontinuitySequence: number;
  readonly segments: readonly ListedSegment[];
}

export interface HlsCheckerOptions {
  /** Whether the content of the second segment continues that of the first. Without this function DISCONTINUITY is not checked. */
  continues?: (before: Buffer, after: Buffer) => boolean;
}

const KNOWN_TAGS =
  /^#(EXTM3U|EXT-X-VERSION:\d+|EXT-X-TARGETDURATION:\d+|EXT-X-MEDIA-SEQUENCE:\d+|EXT-X-DISCONTINUITY-SEQUENCE:\d+|EXT-X-DISCONTINUITY|EXTINF:\d+\.\d{3},.*)$/;
/** RFC 8216, 6.2.2. */
const MIN_TARGETS = 3;

export class HlsChecker {
  readonly faults: string[] = [];
  private last: Playlist | null = null;
  private readonly known = new Map<number, ListedSegment>();
  private before: { sequence: number; bytes: Buffer; exit: Exit } | null = null;
  reloads = 0;
  segments = 0;
  seconds = 0;

  constructor(private readonly options: HlsCheckerOptions = {}) {}

  /** Checks a playlist. Returns the segments that are new in it. */
  playlist(text: string): ListedSegment[] {
    this.reloads += 1;
    const playlist = this.parse(text);
    if (this.last !== null) this.compare(this.last, playlist);
    this.last = playlist;
    const fresh: ListedSegment[] = [];
    for (const segment of playlist.segments) {
      const known = this.known.get(segment.sequence);
      if (known === undefined) {
        this.known.set(segment.sequence, segment);
        fresh.push(segment);
        if (Math.round(segment.seconds) > playlist.target) this.fault(`segment ${segment.sequence} lasts ${segment.seconds} s`);
      } else if (JSON.stringify(known) !== JSON.stringify(segment)) {
        this.fault(`segment ${segment.sequence} was ${JSON.stringify(known)} and is ${JSON.stringify(segment)}`);
      }
    }
    return fresh;
  }

  /** Checks the bytes of a segment. Segments must be passed in order. */
  segment(listed: ListedSegment, bytes: Buffer): void {
    this.segments += 1;
    this.seconds += listed.seconds;
    const at = `segment ${listed.sequence}`;
    const { faults, exit } = readSegment(bytes);
    for (const fault of faults) this.fault(`${at}: ${fault}`);
    if (exit.pictures !== null) {
      const { first, last, frame } = exit.pictures;
      const seconds = (wrap(last - first) + frame) / 90_000;
      if (Math.abs(seconds - listed.seconds) > frame / 90_000 + 0.001)
        this.fault(`${at} is listed with ${listed.seconds} s and has ${seconds.toFixed(3)} s`);
    }
    if (this.before?.sequence === listed.sequence - 1) this.join(listed, this.before, { bytes, exit });
    else if (this.before !== null && listed.sequence <= this.before.sequence) this.fault(`${at} comes after ${this.before.sequence}`);
    this.before = { sequence: listed.sequence, bytes, exit };
  }

  private join(listed: ListedSegment, before: { bytes: Buffer; exit: Exit }, after: { bytes: Buffer; exit: Exit }): void {
    const at = `segment ${listed.sequence}`;
    if (this.options.continues !== undefined) {
      const continues = this.options.continues(before.bytes, after.bytes);
      if (continues && listed.tagged) this.fault(`${at} has DISCONTINUITY, but continues the segment before it`);
      if (!continues && !listed.tagged) this.fault(`${at} has no DISCONTINUITY, but does not continue the segment before it`);
    }
    for (const [pid, entry] of after.exit.firstCounters) {
      const last = before.exit.lastCounters.get(pid);
      if (last === undefined) continue;
      // Tables at the start of a segment may repeat the previous ones.
      const isNext = entry === ((last + 1) & 15) || (entry === last && (pid === 0 || pid === after.exit.pmtPid));
      if (!isNext) this.fault(`${at}: the counter of PID ${pid} goes from ${last} to ${entry}`);
    }
    const { pictures: one } = before.exit;
    const { pictures: other } = after.exit;
    if (one === null || other === null) return;
    const step = wrap(other.first - one.last);
    // Media of another source is appended after the end of the video or the audio, whichever ends later.
    const limit = listed.tagged ? 90_000 : 2 * one.frame;
    if (step === 0 || step > limit) this.fault(`${at}: the next picture comes after ${step / 90} ms`);
  }

  private compare(before: Playlist, now: Playlist): void {
    if (now.target !== before.target) this.fault(`the target duration goes from ${before.target} to ${now.target}`);
    if (now.sequence < before.sequence) this.fault(`the media sequence goes back from ${before.sequence} to ${now.sequence}`);
    if (now.discontinuitySequence < before.discontinuitySequence) this.fault('the discontinuity sequence goes back');
    const last = before.segments.at(-1)?.sequence ?? -1;
    if ((now.segments.at(-1)?.sequence ?? -1) < last) this.fault(`segments disappeared from the end: ${last} was listed before`);
    const seconds = now.segments.reduce((sum, segment) => sum + segment.seconds, 0);
    if (now.sequence > before.sequence && seconds < MIN_TARGETS * now.target)
      this.fault(`segments were removed although only ${seconds} s are left`);
  }

  private parse(text: string): Playlist {
    const lines = text.split('\n');
    if (lines[0] !== '#EXTM3U') this.fault('the first line is not #EXTM3U');
    if (lines.at(-1) !== '') this.fault('the last line has no line end');
    const header = new Map<string, number>();
    const segments: ListedSegment[] = [];
    let discontinuity: number | null = null;
    let tagged = false;
    let seconds: number | null = null;
    for (const line of lines.slice(0, -1)) {
      if (line.startsWith('#')) {
        if (!KNOWN_TAGS.test(line)) this.fault(`unknown or misplaced tag: ${line}`);
        const [tag, value] = line.split(':');
        if (tag === '#EXTINF') seconds = Number.parseFloat(value);
        else if (tag === '#EXT-X-DISCONTINUITY') tagged = true;
        else if (tag !== '#EXTM3U') {
          if (header.has(tag)) this.fault(`${tag} twice`);
          if (segments.length > 0) this.fault(`${tag} after a segment`);
          header.set(tag, Number(value));
        }
        continue;
      }
      discontinuity ??= header.get('#EXT-X-DISCONTINUITY-SEQUENCE') ?? 0;
      if (tagged) discontinuity += 1;
      if (seconds === null) this.fault(`${line} has no EXTINF`);
      if (/^([a-z]+:|\/)/i.test(line)) this.fault(`not a relative URL: ${line}`);
      const sequence = (header.get('#EXT-X-MEDIA-SEQUENCE') ?? 0) + segments.length;
      segments.push({ sequence, uri: line, seconds: seconds ?? 0, discontinuity, tagged });
      tagged = false;
      seconds = null;
    }
    if ((header.get('#EXT-X-VERSION') ?? 1) < 3) this.fault('durations have fractions, but the version is below 3');
    const target = header.get('#EXT-X-TARGETDURATION');
    if (target === undefined) this.fault('no target duration');
    return {
      target: target ?? 0,
      sequence: header.get('#EXT-X-MEDIA-SEQUENCE') ?? 0,
      discontinuitySequence: header.get('#EXT-X-DISCONTINUITY-SEQUENCE') ?? 0,
      segments,
    };
  }

  private fault(text: string): void {
    this.faults.push(text);
  }
}

interface Exit {
  pmtPid: number | null;
  firstCounters: Map<number, number>;
  lastCounters: Map<number, number>;
  /** Decoding times of the first and last picture and their usual distance, in ticks of 90 kHz. */
  pictures: { first: number; last: number; frame: number } | null;
}

const PACKET = 188;

function wrap(ticks: number): number {
  const half = 2 ** 32;
  return ((((ticks + half) % (2 * half)) + 2 * half) % (2 * half)) - half;
}

/** Whether a decoder can start with this segment, and how the segment ends. */
function readSegment(bytes: Buffer): { faults: string[]; exit: Exit } {
  const faults: string[] = [];
  const exit: Exit = { pmtPid: null, firstCounters: new Map(), lastCounters: new Map(), pictures: null };
  if (bytes.length === 0 || bytes.length % PACKET !== 0) faults.push(`${bytes.length} bytes are not a multiple of 188`);
  let video: { pid: number; type: number } | null = null;
  const streams = new Map<number, number>();
  const open = new Map<number, { expected: number; size: number }>();
  const times: number[] = [];
  let firstPicture: Buffer[] | null = null;
  let pictureDone = false;
  for (let at = 0, index = 0; at + PACKET <= bytes.length; at += PACKET, index += 1) {
    const packet = bytes.subarray(at, at + PACKET);
    if (packet[0] !== 0x47) {
      faults.push(`packet ${index} has no sync byte`);
      break;
    }
    const pid = packet.readUInt16BE(1) & 0x1fff;
    if (pid === 0x1fff) continue;
    const starts = (packet[1] & 0x40) !== 0;
    const payload = (packet[3] & 0x10) === 0 ? null : packet.subarray((packet[3] & 0x20) !== 0 ? 5 + packet[4] : 4);
    const counter = packet[3] & 15;
    const last = exit.lastCounters.get(pid);
    if (last === undefined) exit.firstCounters.set(pid, counter);
    else if (counter !== (payload === null ? last : (last + 1) & 15) && counter !== last)
      faults.push(`the counter of PID ${pid} breaks in packet ${index}`);
    exit.lastCounters.set(pid, counter);
    if (index === 0 && !(pid === 0 && starts)) faults.push('does not begin with the PAT');
    if (payload === null) continue;
    if (pid === 0 && starts && exit.pmtPid === null) exit.pmtPid = payload.readUInt16BE(payload[0] + 11) & 0x1fff;
    else if (pid === exit.pmtPid && starts && streams.size === 0) {
      if (index !== 1) faults.push('the PMT is not the second packet');
      for (const [type, streamPid] of streamsOf(payload)) streams.set(streamPid, type);
      for (const [streamPid, type] of streams) if (video === null && [0x02, 0x1b, 0x24].includes(type)) video = { pid: streamPid, type };
    }
    if (!streams.has(pid)) continue;
    const unit = open.get(pid);
    if (!starts) {
      if (unit === undefined) faults.push(`PID ${pid} begins in the middle of a unit (packet ${index})`);
      else unit.size += payload.length;
    } else {
      if (unit !== undefined && unit.expected > 0 && unit.size !== unit.expected) faults.push(`a unit of PID ${pid} is incomplete`);
      const length = payload.readUInt16BE(4);
      open.set(pid, { expected: length === 0 ? 0 : length + 6, size: payload.length });
    }
    if (pid !== video?.pid) continue;
    if (starts) {
      const time = timeOf(payload);
      if (time !== null) times.push(time);
      if (firstPicture !== null) pictureDone = true;
      firstPicture ??= [];
    }
    if (!pictureDone) firstPicture?.push(starts ? payload.subarray(9 + payload[8]) : payload);
  }
  for (const [pid, { expected, size }] of open)
    if (expected > 0 && size !== expected) faults.push(`the last unit of PID ${pid} has ${size} of ${expected} bytes`);
  if (streams.size === 0) faults.push('has no tables');
  if (video !== null) {
    if (firstPicture === null || !isKeyframe(Buffer.concat(firstPicture), video.type)) faults.push('does not begin with a keyframe');
    const steps = times.slice(1).map((time, index) => wrap(time - times[index]));
    if (steps.some((step) => step <= 0)) faults.push('decoding times go back');
    const frame = steps.sort((a, b) => a - b)[steps.length >> 1] ?? 3600;
    if (times.length > 0) exit.pictures = { first: times[0], last: times[times.length - 1], frame };
  }
  return { faults, exit };
}

function streamsOf(payload: Buffer): [number, number][] {
  const section = payload.subarray(1 + payload[0]);
  const end = 3 + (section.readUInt16BE(1) & 0x0fff) - 4;
  const found: [number, number][] = [];
  for (let at = 12 + (section.readUInt16BE(10) & 0x0fff); at + 5 <= end; at += 5 + (section.readUInt16BE(at + 3) & 0x0fff))
    found.push([section[at], section.readUInt16BE(at + 1) & 0x1fff]);
  return found;
}

/** DTS, else PTS. */
function timeOf(pes: Buffer): number | null {
  const flags = pes[7] >> 6;
  if (flags < 2) return null;
  const at = flags === 3 ? 14 : 9;
  return ((pes[at] >> 1) & 7) * 2 ** 30 + (pes[at + 1] << 22) + ((pes[at + 2] >> 1) << 15) + (pes[at + 3] << 7) + (pes[at + 4] >> 1);
}

function isKeyframe(picture: Buffer, streamType: number): boolean {
  const types = new Set<number>();
  for (
    let at = picture.indexOf('\0\0\x01', 0, 'latin1');
    at >= 0 && at + 3 < picture.length;
    at = picture.indexOf('\0\0\x01', at + 3, 'latin1')
  ) {
    const byte = picture[at + 3];
    types.add(streamType === 0x1b ? byte & 31 : streamType === 0x24 ? (byte >> 1) & 63 : byte);
  }
  if (streamType === 0x1b) return types.has(5) && types.has(7);
  if (streamType === 0x24) return [16, 17, 18, 19, 20, 21].some((type) => types.has(type));
  return types.has(0xb3);
}
