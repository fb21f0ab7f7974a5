/**
 * Where a decoder can begin: found by reading the start of each video access unit, never by random_access_indicator, which muxers set on every
 * audio packet and broadcasters leave out. Only the head of a unit is read: a unit that is no entry point is known as such from its first packet.
 */
import { PACKET_SIZE, payloadOffset, startsUnit } from './packet.js';
import { NONE, pesOffset, ptsOffset } from './timestamps.js';

export type VideoCodec = 'h264' | 'hevc' | 'mpeg2';

/** 'clean': every picture from here on can be decoded. 'gradual': the picture heals over a group of pictures (intra refresh). */
export type RandomAccessKind = 'clean' | 'gradual';

/** What is known about the unit that the last packet belongs to: 'pending' until its first slice has been seen. */
export type UnitVerdict = RandomAccessKind | 'pending' | 'none';

/** The video codec of a stream type (ISO/IEC 13818-1, table 2-34), or null where it is none that we can read. */
export function videoCodecOf(streamType: number): VideoCodec | null {
  switch (streamType) {
    case 0x01:
    case 0x02:
      return 'mpeg2';
    case 0x1b:
      return 'h264';
    case 0x24:
      return 'hevc';
    default:
      return null;
  }
}

/** A unit whose head is longer than this is taken for no entry point. */
const MAX_HEAD_BYTES = 64 * 1024;
const RECOVERY_POINT = 6;

type SeiPart = 'type' | 'size' | 'payload';

/** Reads the packets of one video PID in order. It keeps no positions: whoever calls remembers where the pending unit began. */
export class RandomAccessDetector {
  #verdict: UnitVerdict = 'none';
  #bytesRead = 0;
  /** Bytes of a PES header that runs over into the next packet. */
  #headerLeft = 0;
  #zeros = 0;
  #afterStartCode = false;
  #sawDelimiter = false;
  #streamHasDelimiters = false;
  #sawParameterSets = false;
  #recovery: RandomAccessKind | null = null;
  #inSei = false;
  #seiPart: SeiPart = 'type';
  #seiType = 0;
  #seiLeft = 0;
  #seiAtFirstByte = false;

  constructor(readonly codec: VideoCodec) {}

  /** Reads the packet at `at` and says what is known about its unit. Once settled a verdict stays until the next unit begins. */
  push(buffer: Uint8Array, at: number): UnitVerdict {
    let from = payloadOffset(buffer, at);
    if (from < 0) return this.#verdict;
    const end = at + PACKET_SIZE;
    if (startsUnit(buffer, at)) {
      const pes = pesOffset(buffer, at);
      // Without a PTS the PES goes on with the unit before it (one slice or field per PES), so no decoder can begin here.
      if (pes === NONE || ptsOffset(buffer, pes, end) === NONE) {
        this.#verdict = 'none';
        return 'none';
      }
      this.#beginUnit();
      this.#headerLeft = pes + 9 + buffer[pes + 8] - from;
    }
    if (this.#verdict !== 'pending') return this.#verdict;
    const header = Math.min(this.#headerLeft, end - from);
    this.#headerLeft -= header;
    from += header;
    this.#read(buffer, from, end);
    this.#bytesRead += end - from;
    if (this.#verdict === 'pending' && this.#bytesRead > MAX_HEAD_BYTES) this.#verdict = 'none';
    return this.#verdict;
  }

  #beginUnit(): void {
    this.#verdict = 'pending';
    this.#bytesRead = 0;
    this.#zeros = 0;
    this.#afterStartCode = false;
    this.#sawDelimiter = false;
    this.#sawParameterSets = false;
    this.#recovery = null;
    this.#inSei = false;
  }

  /** State lives in the object, so a start code may straddle any number of packets. */
  #read(buffer: Uint8Array, from: number, to: number): void {
    for (let at = from; at < to && this.#verdict === 'pending'; at += 1) {
      const byte = buffer[at];
      if (this.#afterStartCode) {
        this.#afterStartCode = false;
        this.#startUnitPart(byte);
        this.#zeros = byte === 0 ? 1 : 0;
        continue;
      }
      if (byte === 0) {
        this.#zeros += 1;
        if (this.#inSei) this.#readSei(0);
        continue;
      }
      const zeros = this.#zeros;
      this.#zeros = 0;
      if (zeros >= 2 && byte === 1) {
        this.#afterStartCode = true;
        this.#inSei = false;
      } else if (this.#inSei && !(zeros >= 2 && byte === 3)) {
        this.#readSei(byte); // 00 00 03 is an emulation prevention byte and not read
      }
    }
  }

  #startUnitPart(byte: number): void {
    switch (this.codec) {
      case 'h264':
        this.#startH264(byte & 0x1f);
        return;
      case 'hevc':
        this.#startHevc((byte >> 1) & 0x3f);
        return;
      case 'mpeg2':
        // Rec. ITU-T H.262, table 6-1: b3 sequence header, 00 picture, 01–af slice. Others (extensions, user data, b8 group) go before either.
        if (byte === 0xb3) this.#verdict = 'clean';
        else if (byte <= 0xaf) this.#verdict = 'none';
        return;
      default: {
        const unknown: never = this.codec;
        throw new TypeError(`no such codec: ${String(unknown)}`);
      }
    }
  }

  /** Rec. ITU-T H.264, table 7-1. */
  #startH264(type: number): void {
    if (type === 9) this.#noteDelimiter();
    else if (type === 7) this.#sawParameterSets = true;
    else if (type === 6) this.#beginSei();
    else if (type === 5) this.#settle('clean');
    else if (type >= 1 && type <= 4) this.#settle(this.#sawParameterSets && this.#recovery !== null ? this.#recovery : 'none');
  }

  /** Rec. ITU-T H.265, table 7-1: 0–31 are slices, 16–21 of them IRAP pictures (BLA, IDR, CRA). */
  #startHevc(type: number): void {
    if (type === 35) this.#noteDelimiter();
    else if (type >= 16 && type <= 21) this.#settle('clean');
    else if (type < 32) this.#settle('none');
  }

  #noteDelimiter(): void {
    this.#sawDelimiter = true;
    this.#streamHasDelimiters = true;
  }

  /** In a stream with access unit delimiters a PES that begins without one goes on with the picture before. */
  #settle(verdict: RandomAccessKind | 'none'): void {
    this.#verdict = this.#streamHasDelimiters && !this.#sawDelimiter ? 'none' : verdict;
  }

  #beginSei(): void {
    this.#inSei = true;
    this.#seiPart = 'type';
    this.#seiType = 0;
  }

  /** Rec. ITU-T H.264, 7.3.2.3.1: type and size are sums of bytes, 0xff meaning that more follow. */
  #readSei(byte: number): void {
    switch (this.#seiPart) {
      case 'type':
        this.#seiType += byte;
        if (byte === 0xff) return;
        this.#seiPart = 'size';
        this.#seiLeft = 0;
        return;
      case 'size':
        this.#seiLeft += byte;
        if (byte === 0xff) return;
        this.#seiAtFirstByte = true;
        if (this.#seiLeft > 0) this.#seiPart = 'payload';
        else this.#beginSei();
        return;
      case 'payload':
        // recovery_frame_cnt is ue(v) and comes first: a leading 1 bit is the value 0, so nothing has to heal.
        if (this.#seiAtFirstByte && this.#seiType === RECOVERY_POINT) this.#recovery = (byte & 0x80) !== 0 ? 'clean' : 'gradual';
        this.#seiAtFirstByte = false;
        this.#seiLeft -= 1;
        if (this.#seiLeft === 0) this.#beginSei();
        return;
      default: {
        const unknown: never = this.#seiPart;
        throw new TypeError(`no such part: ${String(unknown)}`);
      }
    }
  }
}
